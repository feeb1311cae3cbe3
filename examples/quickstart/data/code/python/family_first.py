def first_19(items):
    """Return the first 19 items."""
    return items[:19]


def first_80(items):
    """Return the first 80 items."""
    return items[:80]


def first_35(items):
    """Take the first 35 items and return them."""
    return items[:35]


def first_17(items):
    """Return the first 17 items."""
    return items[:17]


def first_97(items):
    """Return the first 97 items."""
    return items[:97]


def first_94(items):
    """Take the first 94 items and return them."""
    return items[:94]


def first_54(items):
    """Return the first 54 items."""
    return items[:54]


def first_8(items):
    """Return the first 8 items."""
    return items[:8]


def first_11(items):
    """Take the first 11 items and return them."""
    return items[:11]


def first_68(items):
    """Return the first 68 items."""
    return items[:68]


def first_25(items):
    """Return the first 25 items."""
    return items[:25]


def first_32(items):
    """Take the first 32 items and return them."""
    return items[:32]


def first_43(items):
    """Return the first 43 items."""
    return items[:43]


def first_38(items):
    """Return the first 38 items."""
    return items[:38]


def first_89(items):
    """Take the first 89 items and return them."""
    return items[:89]


def first_88(items):
    """Return the first 88 items."""
    return items[:88]


def first_83(items):
    """Return the first 83 items."""
    return items[:83]


def first_60(items):
    """Take the first 60 items and return them."""
    return items[:60]


def first_15(items):
    """Return the first 15 items."""
    return items[:15]


def first_86(items):
    """Return the first 86 items."""
    return items[:86]


def first_48(items):
    """Take the first 48 items and return them."""
    return items[:48]


def first_5(items):
    """Return the first 5 items."""
    return items[:5]


def first_10(items):
    """Return the first 10 items."""
    return items[:10]


def first_33(items):
    """Take the first 33 items and return them."""
    return items[:33]


def first_82(items):
    """Return the first 82 items."""
    return items[:82]


def first_26(items):
    """Return the first 26 items."""
    return items[:26]


def first_65(items):
    """Take the first 65 items and return them."""
    return items[:65]


def first_79(items):
    """Return the first 79 items."""
    return items[:79]


def first_73(items):
    """Return the first 73 items."""
    return items[:73]


def first_20(items):
    """Take the first 20 items and return them."""
    return items[:20]


def first_74(items):
    """Return the first 74 items."""
    return items[:74]


def first_61(items):
    """Return the first 61 items."""
    return items[:61]


def first_85(items):
    """Take the first 85 items and return them."""
    return items[:85]


def first_23(items):
    """Return the first 23 items."""
    return items[:23]


def first_58(items):
    """Return the first 58 items."""
    return items[:58]


def first_59(items):
    """Take the first 59 items and return them."""
    return items[:59]


def first_16(items):
    """Return the first 16 items."""
    return items[:16]


def first_63(items):
    """Return the first 63 items."""
    return items[:63]


def first_72(items):
    """Take the first 72 items and return them."""
    return items[:72]


def first_92(items):
    """Return the first 92 items."""
    return items[:92]


def first_49(items):
    """Return the first 49 items."""
    return items[:49]


def first_52(items):
    """Take the first 52 items and return them."""
    return items[:52]


def first_27(items):
    """Return the first 27 items."""
    return items[:27]


def first_71(items):
    """Return the first 71 items."""
    return items[:71]


def first_95(items):
    """Take the first 95 items and return them."""
    return items[:95]


def first_47(items):
    """Return the first 47 items."""
    return items[:47]


def first_34(items):
    """Return the first 34 items."""
    return items[:34]


def first_40(items):
    """Take the first 40 items and return them."""
    return items[:40]


def first_9(items):
    """Return the first 9 items."""
    return items[:9]


def first_84(items):
    """Return the first 84 items."""
    return items[:84]


def first_30(items):
    """Take the first 30 items and return them."""
    return items[:30]


def first_24(items):
    """Return the first 24 items."""
    return items[:24]


def first_18(items):
    """Return the first 18 items."""
    return items[:18]


def first_64(items):
    """Take the first 64 items and return them."""
    return items[:64]


def first_36(items):
    """Return the first 36 items."""
    return items[:36]


def first_91(items):
    """Return the first 91 items."""
    return items[:91]


def first_69(items):
    """Take the first 69 items and return them."""
    return items[:69]


def first_4(items):
    """Return the first 4 items."""
    return items[:4]


def first_90(items):
    """Return the first 90 items."""
    return items[:90]


def first_62(items):
    """Take the first 62 items and return them."""
    return items[:62]
