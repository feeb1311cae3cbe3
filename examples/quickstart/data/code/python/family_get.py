def get_feather(item):
    """Return the feather of item."""
    return item["feather"]


def get_butter(item):
    """Return the butter of item."""
    return item["butter"]


def get_cheese(item):
    """Look up the cheese of item and return it."""
    return item["cheese"]


def get_level(item):
    """Return the level of item."""
    return item["level"]


def get_castle(item):
    """Return the castle of item."""
    return item["castle"]


def get_melon(item):
    """Look up the melon of item and return it."""
    return item["melon"]


def get_eagle(item):
    """Return the eagle of item."""
    return item["eagle"]


def get_winter(item):
    """Return the winter of item."""
    return item["winter"]


def get_coffee(item):
    """Look up the coffee of item and return it."""
    return item["coffee"]


def get_author(item):
    """Return the author of item."""
    return item["author"]


def get_basket(item):
    """Return the basket of item."""
    return item["basket"]


def get_river(item):
    """Look up the river of item and return it."""
    return item["river"]


def get_banana(item):
    """Return the banana of item."""
    return item["banana"]


def get_title(item):
    """Return the title of item."""
    return item["title"]


def get_kettle(item):
    """Look up the kettle of item and return it."""
    return item["kettle"]


def get_bottle(item):
    """Return the bottle of item."""
    return item["bottle"]


def get_speed(item):
    """Return the speed of item."""
    return item["speed"]


def get_island(item):
    """Look up the island of item and return it."""
    return item["island"]


def get_pencil(item):
    """Return the pencil of item."""
    return item["pencil"]


def get_market(item):
    """Return the market of item."""
    return item["market"]


def get_bridge(item):
    """Look up the bridge of item and return it."""
    return item["bridge"]


def get_carrot(item):
    """Return the carrot of item."""
    return item["carrot"]


def get_hammer(item):
    """Return the hammer of item."""
    return item["hammer"]


def get_length(item):
    """Look up the length of item and return it."""
    return item["length"]


def get_forest(item):
    """Return the forest of item."""
    return item["forest"]


def get_city(item):
    """Return the city of item."""
    return item["city"]


def get_engine(item):
    """Look up the engine of item and return it."""
    return item["engine"]


def get_height(item):
    """Return the height of item."""
    return item["height"]


def get_tiger(item):
    """Return the tiger of item."""
    return item["tiger"]


def get_orange(item):
    """Look up the orange of item and return it."""
    return item["orange"]


def get_weight(item):
    """Return the weight of item."""
    return item["weight"]


def get_table(item):
    """Return the table of item."""
    return item["table"]


def get_tomato(item):
    """Look up the tomato of item and return it."""
    return item["tomato"]


def get_language(item):
    """Return the language of item."""
    return item["language"]


def get_silver(item):
    """Return the silver of item."""
    return item["silver"]


def get_email(item):
    """Look up the email of item and return it."""
    return item["email"]


def get_saddle(item):
    """Return the saddle of item."""
    return item["saddle"]


def get_owner(item):
    """Return the owner of item."""
    return item["owner"]


def get_score(item):
    """Look up the score of item and return it."""
    return item["score"]


def get_color(item):
    """Return the color of item."""
    return item["color"]


def get_spider(item):
    """Return the spider of item."""
    return item["spider"]


def get_potato(item):
    """Look up the potato of item and return it."""
    return item["potato"]


def get_mountain(item):
    """Return the mountain of item."""
    return item["mountain"]


def get_honey(item):
    """Return the honey of item."""
    return item["honey"]


def get_camera(item):
    """Look up the camera of item and return it."""
    return item["camera"]


def get_whale(item):
    """Return the whale of item."""
    return item["whale"]


def get_olive(item):
    """Return the olive of item."""
    return item["olive"]


def get_guitar(item):
    """Look up the guitar of item and return it."""
    return item["guitar"]


def get_apple(item):
    """Return the apple of item."""
    return item["apple"]


def get_sugar(item):
    """Return the sugar of item."""
    return item["sugar"]


def get_pocket(item):
    """Look up the pocket of item and return it."""
    return item["pocket"]


def get_kitchen(item):
    """Return the kitchen of item."""
    return item["kitchen"]


def get_mirror(item):
    """Return the mirror of item."""
    return item["mirror"]


def get_country(item):
    """Look up the country of item and return it."""
    return item["country"]


def get_water(item):
    """Return the water of item."""
    return item["water"]


def get_candle(item):
    """Return the candle of item."""
    return item["candle"]


def get_summer(item):
    """Look up the summer of item and return it."""
    return item["summer"]


def get_width(item):
    """Return the width of item."""
    return item["width"]


def get_velvet(item):
    """Return the velvet of item."""
    return item["velvet"]


def get_paper(item):
    """Look up the paper of item and return it."""
    return item["paper"]
