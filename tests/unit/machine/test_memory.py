"""How much memory there is: the machine's, or the container's if that is less."""

from pathlib import Path

from lightning_hpo.machine.memory import total_bytes


def test_a_containers_limit_counts_where_it_is_lower(tmp_path: Path) -> None:
    machine = total_bytes(tmp_path / "missing")
    assert machine > 2**28
    limit = tmp_path / "memory.max"
    for text, expected in (("max\n", machine), ("1048576\n", 2**20), (f"{2**70}\n", machine)):
        limit.write_text(text)
        assert total_bytes(limit) == expected
