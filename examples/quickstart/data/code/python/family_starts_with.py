def starts_with_lemon(text):
    """Return True if text starts with lemon."""
    return text.startswith("lemon")


def starts_with_velvet(text):
    """Return True if text starts with velvet."""
    return text.startswith("velvet")


def starts_with_forest(text):
    """Check whether text starts with forest."""
    return text.startswith("forest")


def starts_with_bread(text):
    """Return True if text starts with bread."""
    return text.startswith("bread")


def starts_with_mountain(text):
    """Return True if text starts with mountain."""
    return text.startswith("mountain")


def starts_with_saddle(text):
    """Check whether text starts with saddle."""
    return text.startswith("saddle")


def starts_with_pillow(text):
    """Return True if text starts with pillow."""
    return text.startswith("pillow")


def starts_with_melon(text):
    """Return True if text starts with melon."""
    return text.startswith("melon")


def starts_with_cherry(text):
    """Check whether text starts with cherry."""
    return text.startswith("cherry")


def starts_with_rank(text):
    """Return True if text starts with rank."""
    return text.startswith("rank")


def starts_with_price(text):
    """Return True if text starts with price."""
    return text.startswith("price")


def starts_with_status(text):
    """Check whether text starts with status."""
    return text.startswith("status")


def starts_with_butter(text):
    """Return True if text starts with butter."""
    return text.startswith("butter")


def starts_with_olive(text):
    """Return True if text starts with olive."""
    return text.startswith("olive")


def starts_with_level(text):
    """Check whether text starts with level."""
    return text.startswith("level")


def starts_with_button(text):
    """Return True if text starts with button."""
    return text.startswith("button")


def starts_with_onion(text):
    """Return True if text starts with onion."""
    return text.startswith("onion")


def starts_with_table(text):
    """Check whether text starts with table."""
    return text.startswith("table")


def starts_with_jacket(text):
    """Return True if text starts with jacket."""
    return text.startswith("jacket")


def starts_with_kettle(text):
    """Return True if text starts with kettle."""
    return text.startswith("kettle")


def starts_with_feather(text):
    """Check whether text starts with feather."""
    return text.startswith("feather")


def starts_with_coffee(text):
    """Return True if text starts with coffee."""
    return text.startswith("coffee")


def starts_with_banana(text):
    """Return True if text starts with banana."""
    return text.startswith("banana")


def starts_with_engine(text):
    """Check whether text starts with engine."""
    return text.startswith("engine")


def starts_with_owner(text):
    """Return True if text starts with owner."""
    return text.startswith("owner")


def starts_with_island(text):
    """Return True if text starts with island."""
    return text.startswith("island")


def starts_with_height(text):
    """Check whether text starts with height."""
    return text.startswith("height")


def starts_with_spider(text):
    """Return True if text starts with spider."""
    return text.startswith("spider")


def starts_with_sugar(text):
    """Return True if text starts with sugar."""
    return text.startswith("sugar")


def starts_with_kitchen(text):
    """Check whether text starts with kitchen."""
    return text.startswith("kitchen")


def starts_with_depth(text):
    """Return True if text starts with depth."""
    return text.startswith("depth")


def starts_with_honey(text):
    """Return True if text starts with honey."""
    return text.startswith("honey")


def starts_with_yellow(text):
    """Check whether text starts with yellow."""
    return text.startswith("yellow")


def starts_with_tiger(text):
    """Return True if text starts with tiger."""
    return text.startswith("tiger")


def starts_with_guitar(text):
    """Return True if text starts with guitar."""
    return text.startswith("guitar")


def starts_with_camera(text):
    """Check whether text starts with camera."""
    return text.startswith("camera")


def starts_with_author(text):
    """Return True if text starts with author."""
    return text.startswith("author")


def starts_with_ladder(text):
    """Return True if text starts with ladder."""
    return text.startswith("ladder")


def starts_with_window(text):
    """Check whether text starts with window."""
    return text.startswith("window")


def starts_with_whale(text):
    """Return True if text starts with whale."""
    return text.startswith("whale")


def starts_with_basket(text):
    """Return True if text starts with basket."""
    return text.startswith("basket")


def starts_with_silver(text):
    """Check whether text starts with silver."""
    return text.startswith("silver")


def starts_with_garden(text):
    """Return True if text starts with garden."""
    return text.startswith("garden")


def starts_with_language(text):
    """Return True if text starts with language."""
    return text.startswith("language")


def starts_with_width(text):
    """Check whether text starts with width."""
    return text.startswith("width")


def starts_with_bottle(text):
    """Return True if text starts with bottle."""
    return text.startswith("bottle")


def starts_with_score(text):
    """Return True if text starts with score."""
    return text.startswith("score")


def starts_with_market(text):
    """Check whether text starts with market."""
    return text.startswith("market")


def starts_with_potato(text):
    """Return True if text starts with potato."""
    return text.startswith("potato")


def starts_with_castle(text):
    """Return True if text starts with castle."""
    return text.startswith("castle")


def starts_with_candle(text):
    """Check whether text starts with candle."""
    return text.startswith("candle")


def starts_with_water(text):
    """Return True if text starts with water."""
    return text.startswith("water")


def starts_with_label(text):
    """Return True if text starts with label."""
    return text.startswith("label")


def starts_with_phone(text):
    """Check whether text starts with phone."""
    return text.startswith("phone")


def starts_with_color(text):
    """Return True if text starts with color."""
    return text.startswith("color")


def starts_with_bridge(text):
    """Return True if text starts with bridge."""
    return text.startswith("bridge")


def starts_with_street(text):
    """Check whether text starts with street."""
    return text.startswith("street")


def starts_with_apple(text):
    """Return True if text starts with apple."""
    return text.startswith("apple")


def starts_with_size(text):
    """Return True if text starts with size."""
    return text.startswith("size")


def starts_with_grape(text):
    """Check whether text starts with grape."""
    return text.startswith("grape")
