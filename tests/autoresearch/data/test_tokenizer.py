from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.data.corpus import builtin_files
from autoresearch.data.text import from_bytes, from_str
from autoresearch.data.tokenizer import BOS, Tokenizer
from autoresearch.errors import DataError

BYTES = Tokenizer.train([], 256)
SMALL = Tokenizer.train([builtin_files()[0].read_text(encoding="utf-8"), "日本語 😀😀 " * 20], 300)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain words",
        "emoji 😀👩‍👩‍👧‍👦🇯🇵",
        "日本語の文章、中文、한국어",
        from_bytes(b"broken \xff\xfe \xe2\x82 utf-8 \xf0\x9f").text,
        from_str("lone \ud800 and \udfff surrogates").text,
        f"{BOS} in the text",
        "\x00\x01 control \x7f",
        " \n\t\r\n   1234567890",
    ],
)
@pytest.mark.parametrize("tokenizer", [BYTES, SMALL], ids=["bytes", "bpe"])
def test_token_bytes_add_up_to_the_bytes_of_the_text(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.token_bytes()[tokenizer.encode(text)].sum() == len(text.encode())


@given(st.text())
def test_text_survives_the_way_to_ids_and_back(text: str) -> None:
    assert SMALL.decode(SMALL.encode(text)) == text


@given(st.text(alphabet=st.characters(codec=None)))
def test_no_string_whatsoever_is_miscounted(text: str) -> None:
    sound = from_str(text).text
    assert SMALL.token_bytes()[SMALL.encode(sound)].sum() == len(sound.encode())


def test_the_vocabulary_size_includes_bos() -> None:
    assert (SMALL.vocab_size, SMALL.bos) == (300, 299)


def test_a_vocabulary_of_256_is_the_bytes_and_bos() -> None:
    assert (BYTES.vocab_size, BYTES.bos, BYTES.encode("é").tolist()) == (257, 256, [0xC3, 0xA9])


def test_bos_stands_for_no_bytes() -> None:
    assert SMALL.token_bytes()[SMALL.bos] == 0


def test_the_text_of_bos_is_not_encoded_as_bos() -> None:
    assert SMALL.bos not in SMALL.encode(BOS)


def test_digits_are_merged_in_pairs_at_most() -> None:
    tokenizer = Tokenizer.train([" ".join(map(str, range(10_000)))], 300)
    assert max(len(token) for token in tokenizer.ranks if token.strip().isdigit()) == 2


def test_too_little_text_for_the_merges_says_how_many_were_possible() -> None:
    with pytest.raises(DataError, match=r"vocabulary of 1000: after 4 merges .* --vocab-size 256 to 261"):
        Tokenizer.train(["hello"], 1000)


def test_training_twice_gives_the_same_tokenizer() -> None:
    texts = [path.read_text(encoding="utf-8") for path in builtin_files()[:20]]
    assert Tokenizer.train(texts, 1024).digest() == Tokenizer.train(texts, 1024).digest()


def test_a_stored_tokenizer_is_the_same_tokenizer(tmp_path: Path) -> None:
    SMALL.save(tmp_path / "tokenizer.json")
    assert Tokenizer.load(tmp_path / "tokenizer.json").digest() == SMALL.digest()


def test_a_damaged_tokenizer_file_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"tokens": 3}')
    with pytest.raises(DataError, match="cannot read the tokenizer"):
        Tokenizer.load(tmp_path / "tokenizer.json")


def test_a_batch_is_encoded_like_its_texts() -> None:
    texts = ["the cat", "", "日本語"]
    assert [ids.tolist() for ids in SMALL.encode_batch(texts)] == [SMALL.encode(text).tolist() for text in texts]


def test_a_run_of_a_million_blanks_is_encoded() -> None:
    # Unsliced, the pattern's engine panics on this text.
    assert SMALL.token_bytes()[SMALL.encode(" " * 1_200_000)].sum() == 1_200_000


def test_a_run_of_a_million_blanks_can_be_learned_from() -> None:
    assert Tokenizer.train([" " * 1_200_000], 260).vocab_size == 260
