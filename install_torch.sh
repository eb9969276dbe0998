#!/bin/sh
# Put the tested torch into a virtual environment: the CUDA build where there is an NVIDIA GPU, and elsewhere a CPU build,
# because on Linux the default is a CUDA build with gigabytes of libraries that a machine without a GPU has no use for.
#
#     sh install_torch.sh .venv/bin/python
#
# TORCH=default takes the package index's default build, whatever the machine.
set -eu
here=$(dirname "$0")
python=$1
pin=$(grep '^torch==' "$here/constraints.txt")

if "$python" -c "import sys, torch; sys.exit('torch==' + torch.__version__.partition('+')[0] != '$pin')" 2>/dev/null; then
    exit 0
fi
if [ "${TORCH:-}" = default ] || [ "$(uname -s)" != Linux ] || command -v nvidia-smi >/dev/null; then
    exec "$python" -m pip install -c "$here/constraints.txt" "$pin"
fi
# A wheel at hand (a folder named in pip's find-links) needs no index; what torch depends on comes with the rest.
if "$python" -m pip install --quiet --no-index --no-deps "$pin" 2>/dev/null; then
    exit 0
fi
# uv knows where the CPU builds are.
"$python" -m pip install --quiet uv
if "$python" -m uv pip install --python "$python" --torch-backend=cpu -c "$here/constraints.txt" "$pin"; then
    exit 0
fi
echo "install_torch.sh: found no GPU, and could not get a CPU build of $pin." >&2
echo "To take the default build instead (several GB with CUDA): TORCH=default make install" >&2
exit 1
