"""A trie: words stored letter by letter, for fast completion."""

from __future__ import annotations

from typing import Iterator


class Trie:
    """A set of words that share their beginnings.

    >>> trie = Trie()
    >>> for word in ("car", "card", "care", "dog"):
    ...     trie.add(word)
    >>> "car" in trie, "ca" in trie
    (True, False)
    >>> list(trie.complete("car"))
    ['car', 'card', 'care']
    """

    def __init__(self) -> None:
        self.children: dict[str, Trie] = {}
        self.is_word = False

    def add(self, word: str) -> None:
        """Store a word, creating nodes on the way."""
        node = self
        for letter in word:
            node = node.children.setdefault(letter, Trie())
        node.is_word = True

    def find(self, prefix: str) -> Trie | None:
        """Return the node a prefix leads to, if there is one."""
        node = self
        for letter in prefix:
            if letter not in node.children:
                return None
            node = node.children[letter]
        return node

    def __contains__(self, word: str) -> bool:
        node = self.find(word)
        return node is not None and node.is_word

    def __iter__(self) -> Iterator[str]:
        """Yield all words below this node in alphabetical order."""
        if self.is_word:
            yield ""
        for letter in sorted(self.children):
            for rest in self.children[letter]:
                yield letter + rest

    def complete(self, prefix: str) -> Iterator[str]:
        """Yield every stored word that begins with prefix."""
        node = self.find(prefix)
        if node is not None:
            for rest in node:
                yield prefix + rest
