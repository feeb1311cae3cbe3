"""Breadth-first and depth-first search on a graph.

A graph is a dictionary from each node to the list of its neighbours.
"""

from collections import deque

Graph = dict[str, list[str]]

TRAINS: Graph = {
    "Oslo": ["Bergen", "Trondheim", "Gothenburg"],
    "Bergen": ["Oslo"],
    "Trondheim": ["Oslo", "Bodo"],
    "Bodo": ["Trondheim"],
    "Gothenburg": ["Oslo", "Malmo"],
    "Malmo": ["Gothenburg"],
}


def shortest_path(graph: Graph, start: str, goal: str) -> list[str]:
    """Return a path with the fewest steps, or an empty list.

    >>> shortest_path(TRAINS, "Bergen", "Malmo")
    ['Bergen', 'Oslo', 'Gothenburg', 'Malmo']
    >>> shortest_path(TRAINS, "Bergen", "Paris")
    []
    """
    came_from: dict[str, str | None] = {start: None}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        if node == goal:
            return _walk_back(came_from, goal)
        for neighbour in graph.get(node, []):
            if neighbour not in came_from:
                came_from[neighbour] = node
                queue.append(neighbour)
    return []


def _walk_back(came_from: dict[str, str | None], goal: str) -> list[str]:
    """Follow the recorded steps from the goal to the start."""
    path = []
    step: str | None = goal
    while step is not None:
        path.append(step)
        step = came_from[step]
    return path[::-1]


def reachable(graph: Graph, start: str) -> set[str]:
    """Return every node that can be reached from start.

    >>> sorted(reachable({"a": ["b"], "b": [], "c": ["a"]}, "a"))
    ['a', 'b']
    """
    seen: set[str] = set()
    stack = [start]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(graph.get(node, []))
    return seen
