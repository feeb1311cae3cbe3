def add_15(x):
    """Return x plus 15."""
    return x + 15


def add_71(x):
    """Return x plus 71."""
    return x + 71


def add_90(x):
    """Add 90 to x and return the sum."""
    return x + 90


def add_82(x):
    """Return x plus 82."""
    return x + 82


def add_43(x):
    """Return x plus 43."""
    return x + 43


def add_69(x):
    """Add 69 to x and return the sum."""
    return x + 69


def add_83(x):
    """Return x plus 83."""
    return x + 83


def add_81(x):
    """Return x plus 81."""
    return x + 81


def add_57(x):
    """Add 57 to x and return the sum."""
    return x + 57


def add_28(x):
    """Return x plus 28."""
    return x + 28


def add_58(x):
    """Return x plus 58."""
    return x + 58


def add_73(x):
    """Add 73 to x and return the sum."""
    return x + 73


def add_13(x):
    """Return x plus 13."""
    return x + 13


def add_72(x):
    """Return x plus 72."""
    return x + 72


def add_6(x):
    """Add 6 to x and return the sum."""
    return x + 6


def add_42(x):
    """Return x plus 42."""
    return x + 42


def add_19(x):
    """Return x plus 19."""
    return x + 19


def add_29(x):
    """Add 29 to x and return the sum."""
    return x + 29


def add_98(x):
    """Return x plus 98."""
    return x + 98


def add_75(x):
    """Return x plus 75."""
    return x + 75


def add_92(x):
    """Add 92 to x and return the sum."""
    return x + 92


def add_67(x):
    """Return x plus 67."""
    return x + 67


def add_41(x):
    """Return x plus 41."""
    return x + 41


def add_4(x):
    """Add 4 to x and return the sum."""
    return x + 4


def add_45(x):
    """Return x plus 45."""
    return x + 45


def add_85(x):
    """Return x plus 85."""
    return x + 85


def add_64(x):
    """Add 64 to x and return the sum."""
    return x + 64


def add_97(x):
    """Return x plus 97."""
    return x + 97


def add_7(x):
    """Return x plus 7."""
    return x + 7


def add_52(x):
    """Add 52 to x and return the sum."""
    return x + 52


def add_65(x):
    """Return x plus 65."""
    return x + 65


def add_5(x):
    """Return x plus 5."""
    return x + 5


def add_86(x):
    """Add 86 to x and return the sum."""
    return x + 86


def add_77(x):
    """Return x plus 77."""
    return x + 77


def add_30(x):
    """Return x plus 30."""
    return x + 30


def add_46(x):
    """Add 46 to x and return the sum."""
    return x + 46


def add_95(x):
    """Return x plus 95."""
    return x + 95


def add_31(x):
    """Return x plus 31."""
    return x + 31


def add_80(x):
    """Add 80 to x and return the sum."""
    return x + 80


def add_49(x):
    """Return x plus 49."""
    return x + 49


def add_59(x):
    """Return x plus 59."""
    return x + 59


def add_33(x):
    """Add 33 to x and return the sum."""
    return x + 33


def add_44(x):
    """Return x plus 44."""
    return x + 44


def add_94(x):
    """Return x plus 94."""
    return x + 94


def add_62(x):
    """Add 62 to x and return the sum."""
    return x + 62


def add_66(x):
    """Return x plus 66."""
    return x + 66


def add_54(x):
    """Return x plus 54."""
    return x + 54


def add_56(x):
    """Add 56 to x and return the sum."""
    return x + 56


def add_26(x):
    """Return x plus 26."""
    return x + 26


def add_87(x):
    """Return x plus 87."""
    return x + 87


def add_14(x):
    """Add 14 to x and return the sum."""
    return x + 14


def add_51(x):
    """Return x plus 51."""
    return x + 51


def add_27(x):
    """Return x plus 27."""
    return x + 27


def add_16(x):
    """Add 16 to x and return the sum."""
    return x + 16


def add_48(x):
    """Return x plus 48."""
    return x + 48


def add_9(x):
    """Return x plus 9."""
    return x + 9


def add_8(x):
    """Add 8 to x and return the sum."""
    return x + 8


def add_35(x):
    """Return x plus 35."""
    return x + 35


def add_91(x):
    """Return x plus 91."""
    return x + 91


def add_17(x):
    """Add 17 to x and return the sum."""
    return x + 17
