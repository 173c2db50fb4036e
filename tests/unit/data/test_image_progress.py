"""A bar where somebody looks, nothing elsewhere."""

from io import StringIO

from rich.console import Console

from lightning_hpo.data.image_progress import shown


def written(*, terminal: bool) -> tuple[str, int]:
    stream, taken = StringIO(), []
    console = Console(file=stream, force_terminal=terminal, width=80)
    parts = (taken.append(n) or n for n in (64, 36))  # type: ignore[func-returns-value]
    shown(parts, total=100, what="Decoding images", console=console)
    return stream.getvalue(), sum(taken)


def test_a_terminal_gets_a_bar_with_numbers() -> None:
    text, taken = written(terminal=True)
    assert "Decoding images" in text and "100/100" in text
    assert taken == 100


def test_a_file_gets_nothing_and_all_is_done() -> None:
    assert written(terminal=False) == ("", 100)
