"""Points, circles and polygons in the plane."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """A point with two coordinates.

    >>> Point(1, 2) + Point(3, 4)
    Point(x=4, y=6)
    """

    x: float
    y: float

    def __add__(self, other: "Point") -> "Point":
        return Point(self.x + other.x, self.y + other.y)

    def distance_to(self, other: "Point") -> float:
        """Return the straight-line distance.

        >>> Point(0, 0).distance_to(Point(3, 4))
        5.0
        """
        return math.hypot(self.x - other.x, self.y - other.y)


@dataclass(frozen=True)
class Circle:
    """A circle with a centre and a radius."""

    centre: Point
    radius: float

    @property
    def area(self) -> float:
        """Return the area of the disc."""
        return math.pi * self.radius**2

    def contains(self, point: Point) -> bool:
        """Tell whether the point is inside or on the edge.

        >>> Circle(Point(0, 0), 2).contains(Point(1, 1))
        True
        """
        return self.centre.distance_to(point) <= self.radius

    def overlaps(self, other: "Circle") -> bool:
        """Tell whether two circles share at least one point."""
        return self.centre.distance_to(other.centre) <= self.radius + other.radius


def polygon_area(corners: list[Point]) -> float:
    """Return the area of a simple polygon by the shoelace formula.

    >>> polygon_area([Point(0, 0), Point(4, 0), Point(4, 3), Point(0, 3)])
    12.0
    """
    total = 0.0
    for current, following in zip(corners, corners[1:] + corners[:1]):
        total += current.x * following.y - following.x * current.y
    return abs(total) / 2
