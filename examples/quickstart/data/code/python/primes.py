"""Primes, factors and greatest common divisors."""


def gcd(a: int, b: int) -> int:
    """Return the greatest common divisor by Euclid's algorithm.

    >>> gcd(84, 36)
    12
    """
    while b:
        a, b = b, a % b
    return abs(a)


def lcm(a: int, b: int) -> int:
    """Return the least common multiple.

    >>> lcm(4, 6)
    12
    """
    return abs(a * b) // gcd(a, b) if a and b else 0


def is_prime(n: int) -> bool:
    """Tell whether n is prime, by trial division.

    >>> [n for n in range(20) if is_prime(n)]
    [2, 3, 5, 7, 11, 13, 17, 19]
    """
    if n < 2:
        return False
    divisor = 2
    while divisor * divisor <= n:
        if n % divisor == 0:
            return False
        divisor += 1
    return True


def sieve(limit: int) -> list[int]:
    """Return all primes below limit with the sieve of Eratosthenes.

    >>> sieve(12)
    [2, 3, 5, 7, 11]
    """
    crossed_out = [False] * limit
    primes = []
    for n in range(2, limit):
        if crossed_out[n]:
            continue
        primes.append(n)
        for multiple in range(n * n, limit, n):
            crossed_out[multiple] = True
    return primes


def factorize(n: int) -> dict[int, int]:
    """Return the prime factors of n with their exponents.

    >>> factorize(360)
    {2: 3, 3: 2, 5: 1}
    """
    factors: dict[int, int] = {}
    divisor = 2
    while n > 1:
        while n % divisor == 0:
            factors[divisor] = factors.get(divisor, 0) + 1
            n //= divisor
        divisor += 1
    return factors
