"""The race between a search's best trials: who runs each round, who leaves, who wins.

Decisions alone, from what was measured. In each round all candidates train once more on one fresh
split with one fresh seed; ``values`` has of each candidate its value in each round that it ran,
None where it diverged or failed. The value that it had in the search, which chose it, counts no
more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from lightning_hpo.results.statistics import judged_together, paired

# How many candidates run in each round; the short one where a fit is dear.
FULL, SHORT = (10, 6, 4, 2, 2), (5, 3, 2)
# Of what the search trained.
LARGEST_SHARE = 0.25
_LEAVES_BELOW = 0.05

Values = Mapping[int, Sequence[float | None]]


def sizes_within(lengths: Sequence[float], budget: float) -> tuple[int, ...]:
    """Candidates of each round of the longest race within ``budget``; empty where none is.

    lengths: what one evaluation of each candidate trains, best candidate first. Counted as if those
    that train longest stay longest.
    """
    for sizes in (FULL, SHORT):
        most = sorted(lengths[: sizes[0]], reverse=True)
        if sum(sum(most[:size]) for size in sizes) <= budget:
            return sizes
    return ()


@dataclass(frozen=True)
class Standing:
    """How far a race is.

    ``rounds``: the candidates of each round that was begun. ``racing``: those that are left, best
    mean first once the latest round is run. ``left``: why each of the others is out. ``missing``:
    those that have yet to run the latest round; none of them: the race is over.
    """

    rounds: tuple[tuple[int, ...], ...]
    racing: tuple[int, ...]
    left: Mapping[int, str] = field(default_factory=dict)
    missing: tuple[int, ...] = ()


def standing(
    candidates: Sequence[int], values: Values, sizes: Sequence[int], *, minimize: bool
) -> Standing:
    """The state of the race of ``candidates``, best of the search first, by ``values`` alone.

    After each round those that diverged are out, then those that a paired t-test over all rounds
    tells from the leader at p < 0.05, which takes two rounds at least; of the others the best means
    enter the next one. With one left the race is over.
    """
    racing, rounds, left = list(candidates[: sizes[0]]), [], dict[int, str]()
    for index, size in enumerate(sizes):
        for number in racing[size:]:
            left[number] = f"not among the best {size} after round {index}"
        racing = racing[:size]
        if index and len(racing) < 2:
            break
        rounds.append(tuple(racing))
        missing = tuple(n for n in racing if len(values.get(n, ())) <= index)
        if missing:
            return Standing(tuple(rounds), tuple(racing), left, missing)
        gone = _leaving(racing, values, index + 1, minimize=minimize)
        left |= gone
        # Of equals who was better in the search stands first.
        stay = [n for n in candidates if n in racing and n not in gone]
        means = {n: _mean(values[n][: index + 1]) for n in stay}
        racing = sorted(means, key=means.__getitem__, reverse=not minimize)
    return Standing(tuple(rounds), tuple(racing), left)


def winner(found: Standing, values: Values, *, minimize: bool) -> int | None:
    """Who has the best mean of those that are left; of equals who was better in the search.

    Where the last ones diverged, of those that never did; None where all did.
    """
    if found.racing:
        return found.racing[0]
    steady = [n for n in found.rounds[0] if None not in values[n]]
    means = {number: _mean(values[number]) for number in steady}
    pick = min if minimize else max
    return pick(means, key=means.__getitem__, default=None)


def told_apart(number: int, values: Values, *, minimize: bool) -> dict[int, bool]:
    """Whether candidate ``number`` is better than each other that shares two rounds with it.

    By paired t-tests over the rounds that both ran, which hold together (Holm): of equals any is
    told apart in at most 5 of 100 races.
    """
    own, found = _finite(values[number]), {}
    for other, theirs in values.items():
        shared = min(len(own), len(_finite(theirs)))
        if other != number and shared > 1:
            found[other] = paired(own[:shared], _finite(theirs)[:shared], overlap=0)
    judged = dict(zip(found, judged_together(list(found.values())), strict=True))
    return {n: not d.within_noise and (d.mean < 0) == minimize for n, d in judged.items()}


def _leaving(racing: Sequence[int], values: Values, n: int, *, minimize: bool) -> dict[int, str]:
    """Those that are out after ``n`` rounds, and why."""
    gone = {k: f"failed in round {n}" for k in racing if values[k][n - 1] is None}
    means = {k: _mean(values[k][:n]) for k in racing if k not in gone}
    if n < 2 or not means:
        return gone
    leader = (min if minimize else max)(means, key=means.__getitem__)
    of_leader = _finite(values[leader][:n])
    for rival in means:
        p = paired(of_leader, _finite(values[rival][:n]), overlap=0).p
        if rival != leader and p < _LEAVES_BELOW:
            gone[rival] = f"worse than trial {leader} over {n} rounds, p = {p:.2g}"
    return gone


def _finite(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Sequence[float | None]) -> float:
    return fmean(_finite(values))
