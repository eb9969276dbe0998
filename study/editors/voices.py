"""Where the anthropic editor's answers come from: the API, or a file in which a night of them was recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from autoresearch.errors import InputError

from ..model.access import Access, access_from
from ..model.cassette import Cassette, Recorder
from ..model.client import Client
from ..model.prices import DEFAULT_MODEL, longest_reply, parse_dollars, price_of, worst_case
from ..model.server import ModelServer
from .paid import PaidModel, RequestBook


@dataclass(frozen=True)
class Voice:
    """What the user asked of the language model, as the flags have it."""

    model: str | None = None  # None: the default, or the one that was recorded
    effort: str | None = None  # None: the model's own default
    price: str | None = None
    max_cost: str | None = None
    max_tokens: int | None = None  # of a reply; None: what goes with the effort
    record: Path | None = None

    def check(self) -> None:
        """Raise an InputError that names the flag at fault; nothing is opened."""
        price, cap = price_of(self.model or DEFAULT_MODEL, self.price), self.cap()
        least = worst_case(price, 0, self.max_tokens or longest_reply(self.effort))
        if cap is not None and cap < least:
            raise InputError(
                f"--max-cost is {cap}: a reply alone may cost ${least:.2f}, which is reserved before it is asked for; "
                "expected more, or --editor none"
            )

    def cap(self) -> Decimal | None:
        """What may be spent."""
        return None if self.max_cost is None else parse_dollars("--max-cost", self.max_cost)


@contextmanager
def live(
    voice: Voice,
    environment: Mapping[str, str],
    book: RequestBook,
    worker: Callable[[], str],
    *,
    note: Callable[[str], None],
    sleep: Callable[[float], object] | None = None,
) -> Iterator[PaidModel]:
    """The model behind the API, with the key that the environment holds.

    Raises:
        InputError: A flag is wrong, or there is no key.
    """
    model = voice.model or DEFAULT_MODEL
    price, cap, access = price_of(model, voice.price), voice.cap(), access_from(environment)
    client = Client(
        model,
        access,
        effort=voice.effort,
        max_tokens=voice.max_tokens,
        sleep=sleep,
        note=note,
        recorder=None if voice.record is None else Recorder(voice.record),
    )
    with closing(client):
        yield PaidModel(client, price, book, worker, cap)


@contextmanager
def recorded(
    path: Path, voice: Voice, book: RequestBook, worker: Callable[[], str], *, note: Callable[[str], None]
) -> Iterator[PaidModel]:
    """The model as it was recorded: no key, no network, no waiting between tries, the costs of that night.

    Raises:
        InputError: A flag is wrong, or the file is no cassette.
    """
    if voice.record is not None:
        raise InputError(f"--record {voice.record}: there is nothing to record of what {path} plays; leave it away")
    cassette = Cassette(path, note)
    model = voice.model or cassette.model
    price, cap = price_of(model, voice.price), voice.cap()
    with ModelServer(cassette) as server:
        client = Client(
            model,
            Access(server.url),
            effort=voice.effort or cassette.effort,
            max_tokens=voice.max_tokens,
            sleep=lambda _: None,
        )
        with closing(client):
            yield PaidModel(client, price, book, worker, cap)
