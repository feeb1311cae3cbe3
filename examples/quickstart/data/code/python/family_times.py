def times_29(x):
    """Return x times 29."""
    return x * 29


def times_99(x):
    """Return x times 99."""
    return x * 99


def times_23(x):
    """Multiply x by 23 and return the product."""
    return x * 23


def times_95(x):
    """Return x times 95."""
    return x * 95


def times_70(x):
    """Return x times 70."""
    return x * 70


def times_59(x):
    """Multiply x by 59 and return the product."""
    return x * 59


def times_91(x):
    """Return x times 91."""
    return x * 91


def times_17(x):
    """Return x times 17."""
    return x * 17


def times_97(x):
    """Multiply x by 97 and return the product."""
    return x * 97


def times_62(x):
    """Return x times 62."""
    return x * 62


def times_74(x):
    """Return x times 74."""
    return x * 74


def times_50(x):
    """Multiply x by 50 and return the product."""
    return x * 50


def times_94(x):
    """Return x times 94."""
    return x * 94


def times_88(x):
    """Return x times 88."""
    return x * 88


def times_9(x):
    """Multiply x by 9 and return the product."""
    return x * 9


def times_32(x):
    """Return x times 32."""
    return x * 32


def times_60(x):
    """Return x times 60."""
    return x * 60


def times_14(x):
    """Multiply x by 14 and return the product."""
    return x * 14


def times_4(x):
    """Return x times 4."""
    return x * 4


def times_27(x):
    """Return x times 27."""
    return x * 27


def times_64(x):
    """Multiply x by 64 and return the product."""
    return x * 64


def times_56(x):
    """Return x times 56."""
    return x * 56


def times_20(x):
    """Return x times 20."""
    return x * 20


def times_77(x):
    """Multiply x by 77 and return the product."""
    return x * 77


def times_21(x):
    """Return x times 21."""
    return x * 21


def times_39(x):
    """Return x times 39."""
    return x * 39


def times_69(x):
    """Multiply x by 69 and return the product."""
    return x * 69


def times_73(x):
    """Return x times 73."""
    return x * 73


def times_78(x):
    """Return x times 78."""
    return x * 78


def times_52(x):
    """Multiply x by 52 and return the product."""
    return x * 52


def times_81(x):
    """Return x times 81."""
    return x * 81


def times_3(x):
    """Return x times 3."""
    return x * 3


def times_53(x):
    """Multiply x by 53 and return the product."""
    return x * 53


def times_71(x):
    """Return x times 71."""
    return x * 71


def times_51(x):
    """Return x times 51."""
    return x * 51


def times_6(x):
    """Multiply x by 6 and return the product."""
    return x * 6


def times_82(x):
    """Return x times 82."""
    return x * 82


def times_80(x):
    """Return x times 80."""
    return x * 80


def times_92(x):
    """Multiply x by 92 and return the product."""
    return x * 92


def times_84(x):
    """Return x times 84."""
    return x * 84


def times_38(x):
    """Return x times 38."""
    return x * 38


def times_90(x):
    """Multiply x by 90 and return the product."""
    return x * 90


def times_45(x):
    """Return x times 45."""
    return x * 45


def times_16(x):
    """Return x times 16."""
    return x * 16


def times_8(x):
    """Multiply x by 8 and return the product."""
    return x * 8


def times_47(x):
    """Return x times 47."""
    return x * 47


def times_28(x):
    """Return x times 28."""
    return x * 28


def times_41(x):
    """Multiply x by 41 and return the product."""
    return x * 41


def times_7(x):
    """Return x times 7."""
    return x * 7


def times_61(x):
    """Return x times 61."""
    return x * 61


def times_10(x):
    """Multiply x by 10 and return the product."""
    return x * 10


def times_35(x):
    """Return x times 35."""
    return x * 35


def times_31(x):
    """Return x times 31."""
    return x * 31


def times_37(x):
    """Multiply x by 37 and return the product."""
    return x * 37


def times_40(x):
    """Return x times 40."""
    return x * 40


def times_68(x):
    """Return x times 68."""
    return x * 68


def times_83(x):
    """Multiply x by 83 and return the product."""
    return x * 83


def times_79(x):
    """Return x times 79."""
    return x * 79


def times_36(x):
    """Return x times 36."""
    return x * 36


def times_75(x):
    """Multiply x by 75 and return the product."""
    return x * 75
