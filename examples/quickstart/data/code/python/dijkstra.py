"""Cheapest routes with Dijkstra's algorithm."""

import heapq

Roads = dict[str, dict[str, int]]

VILLAGES: Roads = {
    "mill": {"church": 4, "harbour": 9},
    "church": {"mill": 4, "harbour": 3, "quarry": 8},
    "harbour": {"mill": 9, "church": 3, "quarry": 2},
    "quarry": {"church": 8, "harbour": 2},
}


def distances(roads: Roads, start: str) -> dict[str, int]:
    """Return the cheapest cost from start to every place it can reach.

    The heap always offers the nearest unsettled place, so the first time
    a place leaves the heap its cost is final.

    >>> distances(VILLAGES, "mill")
    {'mill': 0, 'church': 4, 'harbour': 7, 'quarry': 9}
    """
    settled: dict[str, int] = {}
    heap = [(0, start)]
    while heap:
        cost, place = heapq.heappop(heap)
        if place in settled:
            continue  # an older and longer entry
        settled[place] = cost
        for neighbour, length in roads[place].items():
            if neighbour not in settled:
                heapq.heappush(heap, (cost + length, neighbour))
    return settled


def farthest(roads: Roads, start: str) -> tuple[str, int]:
    """Return the place that is most costly to reach, with its cost.

    >>> farthest(VILLAGES, "mill")
    ('quarry', 9)
    """
    costs = distances(roads, start)
    place = max(costs, key=lambda name: costs[name])
    return place, costs[place]
