"""Numbers in a network's code that say how many channels there are.

What a traced network's code asks of a shape, it is told as a plain number where no channels lie, and as a `Count` where
some do. Sums, multiples and equal parts of counts are counts. Code that computes anything else with one, or decides by
it, would compute or decide otherwise in a cut network: so those channels stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Protocol

from espalier.models.channels.labels import Labels


class Source(Protocol):
    """What a count counts: labels, which may not be known before they are asked for. Equal where they are the same."""

    def __call__(self) -> list[int]:
        """The labels."""


class Listed:
    """Labels that are known."""

    def __init__(self, labels: list[int]) -> None:
        self.labels = labels

    def __call__(self) -> list[int]:
        """The labels."""
        return self.labels

    def __eq__(self, other: object) -> bool:
        """By identity: two lists of the same labels are compared where it matters."""
        return isinstance(other, Listed) and self.labels is other.labels

    def __hash__(self) -> int:
        return id(self.labels)


class Attribute:
    """A number that a module of somebody's own keeps, by itself or in a tuple. Nobody knows what it counts, until it is
    used as the number of some channels: then it is theirs, and follows them. Used in any other way before, it is fixed.
    """

    def __init__(self, module: str, name: str, number: int, place: int | None = None) -> None:
        self.module, self.name, self.number, self.place = module, name, number, place
        self.labels: list[int] | None = None
        self.fixed = False

    def __call__(self) -> list[int]:
        """The labels; none as long as it is not known what it counts."""
        return self.labels or []

    @property
    def open(self) -> bool:
        """Whether it may still be found to count something."""
        return self.labels is None and not self.fixed


class Watch(Protocol):
    """Where counts say what became of them."""

    ended: bool
    """Whether the trace is over: a count that somebody kept is a plain number then."""

    @property
    def labels(self) -> Labels:
        """All labels of the network."""

    def spilled(self, count: Count, use: str) -> None:
        """The network's code did something with a count that a cut would change."""

    def let_out(self, count: Count, number: float) -> None:
        """The network's code made a plain number of a count."""


Terms = tuple[tuple[Source, Fraction], ...]


class Count(int):
    """A number of channels, or a multiple, a part or a sum of such numbers, and a constant."""

    terms: Terms
    watch: Watch

    @classmethod
    def of(cls, number: int, source: Source, watch: Watch, factor: Fraction = Fraction(1)) -> Count:
        """So many: `factor` for every channel of a source."""
        return cls._made(number, ((source, factor),), watch)

    @classmethod
    def _made(cls, number: int, terms: Terms, watch: Watch) -> Count:
        count = cls(number)
        count.terms, count.watch = terms, watch
        return count

    @property
    def labels(self) -> list[int]:
        """All labels that it depends on."""
        return [label for source, _ in self.terms for label in source()]

    @property
    def open(self) -> list[Attribute]:
        """The attributes among what it depends on of which it is not known what they count."""
        return [source for source, _ in self.terms if isinstance(source, Attribute) and source.open]

    def hold(self) -> None:
        """Fix what is not known."""
        for attribute in self.open:
            attribute.fixed = True

    def fixed(self) -> int:
        """The plain number, if it is an attribute of which nothing is known: it is fixed now. Itself, if not."""
        if not all(isinstance(source, Attribute) and source.labels is None for source, _ in self.terms):
            return self
        self.hold()
        return int.__int__(self)

    def spill(self, use: str) -> int:
        """The plain number, for a use that keeps the channels."""
        if self.watch.ended:
            return int.__int__(self)
        self.hold()
        self.watch.spilled(self, use)
        return int.__int__(self)

    # --- what stays a count -----------------------------------------------------------------------------------------

    def _scaled(self, factor: Fraction) -> Any:
        number = int.__int__(self) * factor
        if number.denominator != 1:
            return None
        return self._made(int(number), tuple((source, part * factor) for source, part in self.terms), self.watch)

    def __add__(self, other: Any) -> Any:
        """A sum."""
        if not isinstance(other, int):
            return self.spill("is computed with") + other if isinstance(other, float) else NotImplemented
        if isinstance(other, Count) and other.watch is not self.watch:  # what another trace left in a cache
            return self + plain(other) if other.watch.ended else plain(self) + other
        number = int.__int__(self) + int.__int__(other)
        terms = dict(self.terms)
        for source, factor in other.terms if isinstance(other, Count) else ():
            terms[source] = terms.get(source, Fraction(0)) + factor
        left = tuple((source, factor) for source, factor in terms.items() if factor)
        return self._made(number, left, self.watch) if left else number

    __radd__ = __add__

    def __neg__(self) -> Any:
        """Less than nothing, as in `x[:, -n:]`."""
        return self._scaled(Fraction(-1))

    def __sub__(self, other: Any) -> Any:
        """A difference."""
        return self + (-other) if isinstance(other, (int, float)) else NotImplemented

    def __rsub__(self, other: Any) -> Any:
        """A difference."""
        return (-self) + other if isinstance(other, (int, float)) else NotImplemented

    def __mul__(self, other: Any) -> Any:
        """A multiple."""
        if not isinstance(other, int):
            return self.spill("is multiplied") * other if isinstance(other, float) else NotImplemented
        one, other = fixed(self) if isinstance(other, Count) and not other.open else self, fixed(other)
        if not isinstance(one, Count):
            return one * other
        if isinstance(other, Count):
            return one.spill("is multiplied") * other.spill("is multiplied")
        return one._scaled(Fraction(other)) if other else 0

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        """An equal part, or how many times another count this is."""
        other = fixed(other)
        if isinstance(other, Count):
            ratio = self._times(other)
            if ratio is not None and ratio.denominator == 1:
                return int(ratio)
            return self.spill("is divided") // other.spill("is divided")
        part = self._scaled(Fraction(1, other)) if isinstance(other, int) and other else None
        return self.spill("is divided") // other if part is None else part

    def _times(self, other: Count) -> Fraction | None:
        """How many times another count this is, whatever is cut."""
        (source, factor), *rest = self.terms
        ((theirs, part), *more) = other.terms
        same = not rest and not more and source == theirs
        ratio = factor / part if same else Fraction(0)
        return ratio if ratio and ratio * int.__int__(other) == int.__int__(self) else None

    # --- what does not ----------------------------------------------------------------------------------------------

    def __mod__(self, other: Any) -> Any:
        """What is left; channels that must come in so many equal parts are cut part by part."""
        other = fixed(other)
        if type(other) is int and other > 0 and int.__int__(self) % other == 0 and len(self.terms) == 1:
            labels, factor = self.terms[0][0](), self.terms[0][1]
            if factor == 1 and labels and len(labels) % other == 0:
                self.watch.labels.blocks(labels, other)
                return 0
            if factor.denominator == 1 and factor % other == 0:
                return 0
        return self.spill("is divided with a remainder") % other

    def __truediv__(self, other: Any) -> Any:
        """A plain number, of which the code may make a size again."""
        other = fixed(other)
        number = int.__int__(self) / plain(other)
        if isinstance(other, Count):
            ratio = self._times(other)
            if ratio is None:
                self.spill("is divided")
                other.spill("is divided")
            return number
        part = self._scaled(1 / Fraction(other)) if other else None
        if part is None:
            return self.spill("is divided") / other
        self.watch.let_out(part, number)
        return number

    def __int__(self) -> int:
        """A plain number, of which the code may make a size again."""
        number = int.__int__(self)
        self.watch.let_out(self, number)
        return number

    __trunc__ = __floor__ = __ceil__ = __int__

    def __round__(self, *_digits: Any) -> int:
        """The same."""
        return self.__int__()

    def _decides(self, other: Any, compare: Callable[[int, Any], bool]) -> bool:
        """A comparison. Two counts that are equal are made equal in every cut; there is always one channel at least."""
        number = int.__int__(self)
        if self.watch.ended or (isinstance(other, Count) and other.watch is not self.watch):
            self.spill("is compared")
            return compare(number, plain(other))
        if isinstance(other, Count):
            if not _alike(self, other) and not (number == int.__int__(other) and fits(self.watch.labels, self, other)):
                self.spill("is compared")
                other.spill("is compared")
            return compare(number, int.__int__(other))
        result = compare(number, other)
        positive = all(factor > 0 for _, factor in self.terms) and number >= len(self.labels) > 0
        if not (positive and isinstance(other, (int, float)) and other <= 1 and compare(1, other) == result):
            self.spill("is compared")
        return result

    def __eq__(self, other: object) -> bool:
        """Whether they are equal."""
        return self._decides(other, lambda a, b: a == b)

    def __ne__(self, other: object) -> bool:
        """Whether they are not."""
        return self._decides(other, lambda a, b: a != b)

    def __lt__(self, other: Any) -> bool:
        """Whether it is less."""
        return self._decides(other, lambda a, b: a < b)

    def __le__(self, other: Any) -> bool:
        """Whether it is no more."""
        return self._decides(other, lambda a, b: a <= b)

    def __gt__(self, other: Any) -> bool:
        """Whether it is more."""
        return self._decides(other, lambda a, b: a > b)

    def __ge__(self, other: Any) -> bool:
        """Whether it is no less."""
        return self._decides(other, lambda a, b: a >= b)

    def __bool__(self) -> bool:
        """Whether it is any."""
        return self._decides(0, lambda a, b: a != b)

    def __hash__(self) -> int:
        """That of the number, for tables, in which the channels stay: what is found there is nobody knows what."""
        return int.__hash__(self.spill("is looked up"))

    @property
    def real(self) -> int:
        """The number, for which the channels stay; likewise the next."""
        return self.spill("is computed with")

    numerator = real


def _spilling(name: str) -> Callable[..., Any]:
    numbers_own = getattr(int, name)

    def spilling(self: Count, *others: Any) -> Any:
        return numbers_own(self.spill("is computed with"), *others)

    spilling.__name__ = name
    spilling.__doc__ = "Something else, for which the channels stay."
    return spilling


for _name in (
    "__float__", "__pow__", "__rpow__", "__rfloordiv__", "__rtruediv__", "__rmod__", "__divmod__", "__rdivmod__",
    "__abs__", "__pos__", "__invert__", "__and__", "__rand__", "__or__", "__ror__", "__xor__", "__rxor__",
    "__lshift__", "__rlshift__", "__rshift__", "__rrshift__", "__str__", "__repr__", "__format__", "bit_length",
):  # fmt: skip
    setattr(Count, _name, _spilling(_name))


def plain(number: Any) -> Any:
    """A count as the number that it is now; anything else as it is. Asks nothing of the count."""
    return int.__int__(number) if type(number) is Count else number


def fixed(number: Any) -> Any:
    """An attribute of which nothing is known as the number that it is, and fixed; anything else as it is."""
    return number.fixed() if type(number) is Count else number


def _alike(one: Count, other: Count) -> bool:
    return one.terms == other.terms


def fits(labels: Labels, count: Count, other: Count | Sequence[int]) -> bool:
    """Whether a number says, in every cut, how many of these channels there are. Channels that are as many as the
    number says only if they are cut alike are coupled."""
    if isinstance(other, Count):
        if other.open and not count.open:
            count, other = other, count
        if len(other.terms) != 1 or other.terms[0][1] != 1 or other.open:
            return not count.open and not other.open and _same(labels, count, other)
        other = other.terms[0][0]()
    wanted = list(other)
    if int.__int__(count) != len(wanted):
        return False
    if count.open:
        return _bind(labels, count, wanted)
    if len(count.terms) == 1 and (source := count.terms[0][0]()) is not None:
        factor = count.terms[0][1]
        if source == wanted and factor == 1:
            return True
        if not _counts(labels, count, wanted):
            _couple(labels, source, factor, wanted)
    return _counts(labels, count, wanted)


def _bind(labels: Labels, count: Count, wanted: list[int]) -> bool:
    """Say what an attribute counts: these channels, less what else is in the number."""
    [(attribute, factor)] = [(source, f) for source, f in count.terms if source is count.open[0]]
    rest = [(source, f) for source, f in count.terms if source is not attribute]
    if len(count.open) > 1 or any(f >= 0 or f.denominator != 1 for _, f in rest) or factor <= 0:
        return False
    found = wanted + [label for source, f in rest for label in source() * int(-f)]
    if factor.denominator == 1 and len(found) % factor.numerator == 0:
        found = labels.blocks(found, factor.numerator)
    elif factor.numerator == 1:
        found = found * factor.denominator
    if not isinstance(attribute, Attribute) or len(found) != attribute.number:
        return False
    if int.__int__(count) != factor * attribute.number + sum(f * len(source()) for source, f in rest):
        return False  # there is more in the number than can be cut
    attribute.labels = found
    return True


def _couple(labels: Labels, source: list[int], factor: Fraction, wanted: list[int]) -> None:
    """Couple channels to the source that they are counted by, where they are a multiple or a part of it."""
    if factor > 0 and factor.denominator == 1 and len(source) * factor == len(wanted):
        in_blocks = wanted[: len(source)] == source
        times = int(factor)
        labels.merge(wanted, source * times if in_blocks else [label for label in source for _ in range(times)])
    elif factor > 0 and factor.numerator == 1 and len(wanted) * factor.denominator == len(source):
        for start in range(0, len(source), len(wanted)):
            labels.merge(wanted, source[start : start + len(wanted)])


def _same(labels: Labels, one: Count, other: Count) -> bool:
    return _free(labels, _amounts(labels, one)) == _free(labels, _amounts(labels, other))


def _counts(labels: Labels, count: Count, wanted: list[int]) -> bool:
    own = {root: Fraction(n) for root, n in Counter(map(labels.find, wanted)).items()}
    return _free(labels, _amounts(labels, count)) == _free(labels, own)


def _amounts(labels: Labels, count: Count) -> dict[int, Fraction]:
    """How much each channel adds to a number."""
    found: dict[int, Fraction] = {}
    for source, factor in count.terms:
        for label in source():
            root = labels.find(label)
            found[root] = found.get(root, Fraction(0)) + factor
    return found


def _free(labels: Labels, amounts: dict[int, Fraction]) -> dict[int, Fraction]:
    """Those of channels that can be cut, since the others are always there."""
    return {root: amount for root, amount in amounts.items() if amount and labels.reason(root) is None}
