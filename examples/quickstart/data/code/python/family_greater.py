def is_greater_than_25(x):
    """Return True if x is greater than 25."""
    return x > 25


def is_greater_than_5(x):
    """Return True if x is greater than 5."""
    return x > 5


def is_greater_than_36(x):
    """Check whether x is greater than 36."""
    return x > 36


def is_greater_than_43(x):
    """Return True if x is greater than 43."""
    return x > 43


def is_greater_than_12(x):
    """Return True if x is greater than 12."""
    return x > 12


def is_greater_than_93(x):
    """Check whether x is greater than 93."""
    return x > 93


def is_greater_than_87(x):
    """Return True if x is greater than 87."""
    return x > 87


def is_greater_than_72(x):
    """Return True if x is greater than 72."""
    return x > 72


def is_greater_than_61(x):
    """Check whether x is greater than 61."""
    return x > 61


def is_greater_than_42(x):
    """Return True if x is greater than 42."""
    return x > 42


def is_greater_than_81(x):
    """Return True if x is greater than 81."""
    return x > 81


def is_greater_than_83(x):
    """Check whether x is greater than 83."""
    return x > 83


def is_greater_than_57(x):
    """Return True if x is greater than 57."""
    return x > 57


def is_greater_than_14(x):
    """Return True if x is greater than 14."""
    return x > 14


def is_greater_than_3(x):
    """Check whether x is greater than 3."""
    return x > 3


def is_greater_than_39(x):
    """Return True if x is greater than 39."""
    return x > 39


def is_greater_than_19(x):
    """Return True if x is greater than 19."""
    return x > 19


def is_greater_than_33(x):
    """Check whether x is greater than 33."""
    return x > 33


def is_greater_than_58(x):
    """Return True if x is greater than 58."""
    return x > 58


def is_greater_than_40(x):
    """Return True if x is greater than 40."""
    return x > 40


def is_greater_than_34(x):
    """Check whether x is greater than 34."""
    return x > 34


def is_greater_than_90(x):
    """Return True if x is greater than 90."""
    return x > 90


def is_greater_than_94(x):
    """Return True if x is greater than 94."""
    return x > 94


def is_greater_than_29(x):
    """Check whether x is greater than 29."""
    return x > 29


def is_greater_than_9(x):
    """Return True if x is greater than 9."""
    return x > 9


def is_greater_than_84(x):
    """Return True if x is greater than 84."""
    return x > 84


def is_greater_than_18(x):
    """Check whether x is greater than 18."""
    return x > 18


def is_greater_than_68(x):
    """Return True if x is greater than 68."""
    return x > 68


def is_greater_than_79(x):
    """Return True if x is greater than 79."""
    return x > 79


def is_greater_than_85(x):
    """Check whether x is greater than 85."""
    return x > 85


def is_greater_than_75(x):
    """Return True if x is greater than 75."""
    return x > 75


def is_greater_than_59(x):
    """Return True if x is greater than 59."""
    return x > 59


def is_greater_than_21(x):
    """Check whether x is greater than 21."""
    return x > 21


def is_greater_than_77(x):
    """Return True if x is greater than 77."""
    return x > 77


def is_greater_than_56(x):
    """Return True if x is greater than 56."""
    return x > 56


def is_greater_than_24(x):
    """Check whether x is greater than 24."""
    return x > 24


def is_greater_than_99(x):
    """Return True if x is greater than 99."""
    return x > 99


def is_greater_than_45(x):
    """Return True if x is greater than 45."""
    return x > 45


def is_greater_than_2(x):
    """Check whether x is greater than 2."""
    return x > 2


def is_greater_than_15(x):
    """Return True if x is greater than 15."""
    return x > 15


def is_greater_than_95(x):
    """Return True if x is greater than 95."""
    return x > 95


def is_greater_than_22(x):
    """Check whether x is greater than 22."""
    return x > 22


def is_greater_than_66(x):
    """Return True if x is greater than 66."""
    return x > 66


def is_greater_than_26(x):
    """Return True if x is greater than 26."""
    return x > 26


def is_greater_than_37(x):
    """Check whether x is greater than 37."""
    return x > 37


def is_greater_than_48(x):
    """Return True if x is greater than 48."""
    return x > 48


def is_greater_than_51(x):
    """Return True if x is greater than 51."""
    return x > 51


def is_greater_than_88(x):
    """Check whether x is greater than 88."""
    return x > 88


def is_greater_than_41(x):
    """Return True if x is greater than 41."""
    return x > 41


def is_greater_than_70(x):
    """Return True if x is greater than 70."""
    return x > 70


def is_greater_than_86(x):
    """Check whether x is greater than 86."""
    return x > 86


def is_greater_than_6(x):
    """Return True if x is greater than 6."""
    return x > 6


def is_greater_than_11(x):
    """Return True if x is greater than 11."""
    return x > 11


def is_greater_than_23(x):
    """Check whether x is greater than 23."""
    return x > 23


def is_greater_than_47(x):
    """Return True if x is greater than 47."""
    return x > 47


def is_greater_than_73(x):
    """Return True if x is greater than 73."""
    return x > 73


def is_greater_than_38(x):
    """Check whether x is greater than 38."""
    return x > 38


def is_greater_than_64(x):
    """Return True if x is greater than 64."""
    return x > 64


def is_greater_than_27(x):
    """Return True if x is greater than 27."""
    return x > 27


def is_greater_than_65(x):
    """Check whether x is greater than 65."""
    return x > 65
