def count_grape(words):
    """Return how many times grape occurs in words."""
    return words.count("grape")


def count_bridge(words):
    """Return how many times bridge occurs in words."""
    return words.count("bridge")


def count_cheese(words):
    """Count how often cheese occurs in words."""
    return words.count("cheese")


def count_mountain(words):
    """Return how many times mountain occurs in words."""
    return words.count("mountain")


def count_pocket(words):
    """Return how many times pocket occurs in words."""
    return words.count("pocket")


def count_city(words):
    """Count how often city occurs in words."""
    return words.count("city")


def count_velvet(words):
    """Return how many times velvet occurs in words."""
    return words.count("velvet")


def count_weight(words):
    """Return how many times weight occurs in words."""
    return words.count("weight")


def count_carrot(words):
    """Count how often carrot occurs in words."""
    return words.count("carrot")


def count_river(words):
    """Return how many times river occurs in words."""
    return words.count("river")


def count_school(words):
    """Return how many times school occurs in words."""
    return words.count("school")


def count_country(words):
    """Count how often country occurs in words."""
    return words.count("country")


def count_needle(words):
    """Return how many times needle occurs in words."""
    return words.count("needle")


def count_width(words):
    """Return how many times width occurs in words."""
    return words.count("width")


def count_engine(words):
    """Count how often engine occurs in words."""
    return words.count("engine")


def count_pencil(words):
    """Return how many times pencil occurs in words."""
    return words.count("pencil")


def count_sunset(words):
    """Return how many times sunset occurs in words."""
    return words.count("sunset")


def count_orange(words):
    """Count how often orange occurs in words."""
    return words.count("orange")


def count_tomato(words):
    """Return how many times tomato occurs in words."""
    return words.count("tomato")


def count_kitchen(words):
    """Return how many times kitchen occurs in words."""
    return words.count("kitchen")


def count_pepper(words):
    """Count how often pepper occurs in words."""
    return words.count("pepper")


def count_level(words):
    """Return how many times level occurs in words."""
    return words.count("level")


def count_potato(words):
    """Return how many times potato occurs in words."""
    return words.count("potato")


def count_street(words):
    """Count how often street occurs in words."""
    return words.count("street")


def count_market(words):
    """Return how many times market occurs in words."""
    return words.count("market")


def count_mirror(words):
    """Return how many times mirror occurs in words."""
    return words.count("mirror")


def count_silver(words):
    """Count how often silver occurs in words."""
    return words.count("silver")


def count_forest(words):
    """Return how many times forest occurs in words."""
    return words.count("forest")


def count_candle(words):
    """Return how many times candle occurs in words."""
    return words.count("candle")


def count_cherry(words):
    """Count how often cherry occurs in words."""
    return words.count("cherry")


def count_window(words):
    """Return how many times window occurs in words."""
    return words.count("window")


def count_summer(words):
    """Return how many times summer occurs in words."""
    return words.count("summer")


def count_label(words):
    """Count how often label occurs in words."""
    return words.count("label")


def count_lemon(words):
    """Return how many times lemon occurs in words."""
    return words.count("lemon")


def count_onion(words):
    """Return how many times onion occurs in words."""
    return words.count("onion")


def count_rank(words):
    """Count how often rank occurs in words."""
    return words.count("rank")


def count_zebra(words):
    """Return how many times zebra occurs in words."""
    return words.count("zebra")


def count_phone(words):
    """Return how many times phone occurs in words."""
    return words.count("phone")


def count_apple(words):
    """Count how often apple occurs in words."""
    return words.count("apple")


def count_length(words):
    """Return how many times length occurs in words."""
    return words.count("length")


def count_coffee(words):
    """Return how many times coffee occurs in words."""
    return words.count("coffee")


def count_banana(words):
    """Count how often banana occurs in words."""
    return words.count("banana")


def count_garden(words):
    """Return how many times garden occurs in words."""
    return words.count("garden")


def count_basket(words):
    """Return how many times basket occurs in words."""
    return words.count("basket")


def count_yellow(words):
    """Count how often yellow occurs in words."""
    return words.count("yellow")


def count_price(words):
    """Return how many times price occurs in words."""
    return words.count("price")


def count_kettle(words):
    """Return how many times kettle occurs in words."""
    return words.count("kettle")


def count_score(words):
    """Count how often score occurs in words."""
    return words.count("score")


def count_button(words):
    """Return how many times button occurs in words."""
    return words.count("button")


def count_height(words):
    """Return how many times height occurs in words."""
    return words.count("height")


def count_horse(words):
    """Count how often horse occurs in words."""
    return words.count("horse")


def count_speed(words):
    """Return how many times speed occurs in words."""
    return words.count("speed")


def count_violin(words):
    """Return how many times violin occurs in words."""
    return words.count("violin")


def count_bread(words):
    """Count how often bread occurs in words."""
    return words.count("bread")


def count_email(words):
    """Return how many times email occurs in words."""
    return words.count("email")


def count_walnut(words):
    """Return how many times walnut occurs in words."""
    return words.count("walnut")


def count_guitar(words):
    """Count how often guitar occurs in words."""
    return words.count("guitar")


def count_tunnel(words):
    """Return how many times tunnel occurs in words."""
    return words.count("tunnel")


def count_sugar(words):
    """Return how many times sugar occurs in words."""
    return words.count("sugar")


def count_olive(words):
    """Count how often olive occurs in words."""
    return words.count("olive")
