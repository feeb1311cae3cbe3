def larger_of_carrot_and_hammer(carrot, hammer):
    """Return the larger of carrot and hammer."""
    return max(carrot, hammer)


def larger_of_street_and_speed(street, speed):
    """Return the larger of street and speed."""
    return max(street, speed)


def larger_of_carpet_and_honey(carpet, honey):
    """Compare carpet and honey and return the larger."""
    return max(carpet, honey)


def larger_of_street_and_grape(street, grape):
    """Return the larger of street and grape."""
    return max(street, grape)


def larger_of_ladder_and_color(ladder, color):
    """Return the larger of ladder and color."""
    return max(ladder, color)


def larger_of_weight_and_mirror(weight, mirror):
    """Compare weight and mirror and return the larger."""
    return max(weight, mirror)


def larger_of_guitar_and_zebra(guitar, zebra):
    """Return the larger of guitar and zebra."""
    return max(guitar, zebra)


def larger_of_carpet_and_pepper(carpet, pepper):
    """Return the larger of carpet and pepper."""
    return max(carpet, pepper)


def larger_of_cherry_and_winter(cherry, winter):
    """Compare cherry and winter and return the larger."""
    return max(cherry, winter)


def larger_of_tunnel_and_lemon(tunnel, lemon):
    """Return the larger of tunnel and lemon."""
    return max(tunnel, lemon)


def larger_of_owner_and_engine(owner, engine):
    """Return the larger of owner and engine."""
    return max(owner, engine)


def larger_of_email_and_horse(email, horse):
    """Compare email and horse and return the larger."""
    return max(email, horse)


def larger_of_potato_and_speed(potato, speed):
    """Return the larger of potato and speed."""
    return max(potato, speed)


def larger_of_email_and_school(email, school):
    """Return the larger of email and school."""
    return max(email, school)


def larger_of_window_and_kettle(window, kettle):
    """Compare window and kettle and return the larger."""
    return max(window, kettle)


def larger_of_author_and_kitchen(author, kitchen):
    """Return the larger of author and kitchen."""
    return max(author, kitchen)


def larger_of_kettle_and_ladder(kettle, ladder):
    """Return the larger of kettle and ladder."""
    return max(kettle, ladder)


def larger_of_title_and_onion(title, onion):
    """Compare title and onion and return the larger."""
    return max(title, onion)


def larger_of_street_and_onion(street, onion):
    """Return the larger of street and onion."""
    return max(street, onion)


def larger_of_saddle_and_status(saddle, status):
    """Return the larger of saddle and status."""
    return max(saddle, status)


def larger_of_candle_and_violin(candle, violin):
    """Compare candle and violin and return the larger."""
    return max(candle, violin)


def larger_of_phone_and_language(phone, language):
    """Return the larger of phone and language."""
    return max(phone, language)


def larger_of_market_and_winter(market, winter):
    """Return the larger of market and winter."""
    return max(market, winter)


def larger_of_bread_and_pillow(bread, pillow):
    """Compare bread and pillow and return the larger."""
    return max(bread, pillow)


def larger_of_summer_and_saddle(summer, saddle):
    """Return the larger of summer and saddle."""
    return max(summer, saddle)


def larger_of_carrot_and_feather(carrot, feather):
    """Return the larger of carrot and feather."""
    return max(carrot, feather)


def larger_of_mirror_and_feather(mirror, feather):
    """Compare mirror and feather and return the larger."""
    return max(mirror, feather)


def larger_of_phone_and_potato(phone, potato):
    """Return the larger of phone and potato."""
    return max(phone, potato)


def larger_of_melon_and_speed(melon, speed):
    """Return the larger of melon and speed."""
    return max(melon, speed)


def larger_of_island_and_label(island, label):
    """Compare island and label and return the larger."""
    return max(island, label)


def larger_of_eagle_and_bread(eagle, bread):
    """Return the larger of eagle and bread."""
    return max(eagle, bread)


def larger_of_window_and_water(window, water):
    """Return the larger of window and water."""
    return max(window, water)


def larger_of_bottle_and_river(bottle, river):
    """Compare bottle and river and return the larger."""
    return max(bottle, river)


def larger_of_bridge_and_needle(bridge, needle):
    """Return the larger of bridge and needle."""
    return max(bridge, needle)


def larger_of_phone_and_email(phone, email):
    """Return the larger of phone and email."""
    return max(phone, email)


def larger_of_yellow_and_school(yellow, school):
    """Compare yellow and school and return the larger."""
    return max(yellow, school)


def larger_of_pillow_and_author(pillow, author):
    """Return the larger of pillow and author."""
    return max(pillow, author)


def larger_of_grape_and_spider(grape, spider):
    """Return the larger of grape and spider."""
    return max(grape, spider)


def larger_of_kettle_and_tiger(kettle, tiger):
    """Compare kettle and tiger and return the larger."""
    return max(kettle, tiger)


def larger_of_spider_and_email(spider, email):
    """Return the larger of spider and email."""
    return max(spider, email)


def larger_of_label_and_walnut(label, walnut):
    """Return the larger of label and walnut."""
    return max(label, walnut)


def larger_of_apple_and_saddle(apple, saddle):
    """Compare apple and saddle and return the larger."""
    return max(apple, saddle)


def larger_of_saddle_and_title(saddle, title):
    """Return the larger of saddle and title."""
    return max(saddle, title)


def larger_of_bottle_and_country(bottle, country):
    """Return the larger of bottle and country."""
    return max(bottle, country)


def larger_of_kitchen_and_eagle(kitchen, eagle):
    """Compare kitchen and eagle and return the larger."""
    return max(kitchen, eagle)


def larger_of_size_and_language(size, language):
    """Return the larger of size and language."""
    return max(size, language)


def larger_of_bread_and_tomato(bread, tomato):
    """Return the larger of bread and tomato."""
    return max(bread, tomato)


def larger_of_phone_and_paper(phone, paper):
    """Compare phone and paper and return the larger."""
    return max(phone, paper)


def larger_of_carrot_and_tiger(carrot, tiger):
    """Return the larger of carrot and tiger."""
    return max(carrot, tiger)


def larger_of_length_and_bread(length, bread):
    """Return the larger of length and bread."""
    return max(length, bread)


def larger_of_language_and_olive(language, olive):
    """Compare language and olive and return the larger."""
    return max(language, olive)


def larger_of_carrot_and_whale(carrot, whale):
    """Return the larger of carrot and whale."""
    return max(carrot, whale)


def larger_of_cheese_and_winter(cheese, winter):
    """Return the larger of cheese and winter."""
    return max(cheese, winter)


def larger_of_hammer_and_tunnel(hammer, tunnel):
    """Compare hammer and tunnel and return the larger."""
    return max(hammer, tunnel)


def larger_of_bread_and_email(bread, email):
    """Return the larger of bread and email."""
    return max(bread, email)


def larger_of_email_and_carrot(email, carrot):
    """Return the larger of email and carrot."""
    return max(email, carrot)


def larger_of_carrot_and_guitar(carrot, guitar):
    """Compare carrot and guitar and return the larger."""
    return max(carrot, guitar)


def larger_of_onion_and_river(onion, river):
    """Return the larger of onion and river."""
    return max(onion, river)


def larger_of_weight_and_olive(weight, olive):
    """Return the larger of weight and olive."""
    return max(weight, olive)


def larger_of_depth_and_winter(depth, winter):
    """Compare depth and winter and return the larger."""
    return max(depth, winter)
