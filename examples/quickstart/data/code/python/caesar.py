"""The oldest of ciphers: shift every letter along the alphabet."""

import string

ALPHABET = string.ascii_lowercase


def shift_letter(letter: str, steps: int) -> str:
    """Move one letter, keeping its case and leaving other signs alone.

    >>> shift_letter("y", 3), shift_letter("B", -1), shift_letter("!", 5)
    ('b', 'A', '!')
    """
    index = ALPHABET.find(letter.lower())
    if index < 0:
        return letter
    moved = ALPHABET[(index + steps) % len(ALPHABET)]
    return moved.upper() if letter.isupper() else moved


def encrypt(text: str, key: int) -> str:
    """Shift all letters forward.

    >>> encrypt("Meet at noon", 3)
    'Phhw dw qrrq'
    """
    return "".join(shift_letter(letter, key) for letter in text)


def decrypt(text: str, key: int) -> str:
    """Undo encrypt with the same key.

    >>> decrypt("Phhw dw qrrq", 3)
    'Meet at noon'
    """
    return encrypt(text, -key)


def crack(text: str) -> str:
    """Guess the key of an English text from its commonest letters.

    Each of the 26 keys is tried, and the decryption with the most
    frequent English letters wins.

    >>> crack(encrypt("the letter rests on the table near the stone", 11))
    'the letter rests on the table near the stone'
    """

    def score(candidate: str) -> int:
        return sum(candidate.lower().count(letter) for letter in "etaoinsr")

    return max((decrypt(text, key) for key in range(26)), key=score)
