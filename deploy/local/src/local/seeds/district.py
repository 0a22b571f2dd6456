"""What the seeds plant, as data: which clubs there are, who goes where before the story begins.

Who pays is in `programs`, children and schools are in `local.population`, people who sign in in
`local.people`. Amounts are in tiyn; days are civil. The amounts that the story tells follow from these
numbers (`local.story.amounts`).
"""

from dataclasses import dataclass
from datetime import datetime

from idnumbers.nationalid.kaz.business_id import BusinessIDNumber

from local.clock import CIVIL

BEGINS_AT = datetime(2026, 9, 7, 9, tzinfo=CIVIL)
"""Business time of a fresh system: a Monday morning. Schedules and holidays never depend on today."""

SCHOOL_YEAR = ("2026-09-01", "2027-05-25")
ENTITLED_UNTIL = "2027-05-25"
ALLOTTED_UNTIL = "2026-09-30"
"""The first funding run: September's money, which cannot be spent on October."""

NEWCOMER = 1
"""The child whom nobody has linked yet: with it the story begins."""

_SERIALS = range(90001, 90100)
"""BINs are made of these serial numbers, which the seeds claim as theirs: no real organization is meant."""


@dataclass(frozen=True, slots=True)
class Names:
    """A public name in every language."""

    kk: str
    ru: str
    en: str

    def content(self) -> dict[str, str]:
        """As requests carry it."""
        return {"kk": self.kk, "ru": self.ru, "en": self.en}


@dataclass(frozen=True, slots=True)
class Provider:
    """An organization; director-n is the director of the n-th."""

    number: int
    name: Names

    @property
    def bin(self) -> str:
        """A right number of the stated range; some serial numbers have no control digit."""
        for serial in range(_SERIALS.start + self.number - 1, _SERIALS.stop, 20):
            stem = f"240140{serial}"  # January 2024, a resident organization, its head unit
            control = BusinessIDNumber.checksum(f"{stem}0")
            if isinstance(control, int) and not isinstance(control, bool):
                return f"{stem}{control}"
        raise AssertionError("no serial number has a control digit")

    @property
    def iban(self) -> str:
        """A right number at a bank that is no more (998): no account there is anybody's."""
        account = f"998{self.number:013}"
        check = 98 - int(f"{account}203500") % 97  # K and Z count as 20 and 35; ISO 13616
        return f"KZ{check:02}{account}"


PROVIDERS = tuple(
    Provider(number, name)
    for number, name in enumerate(
        (
            Names("«Жас техник» орталығы", "Центр «Юный техник»", "Young Technician center"),
            Names("Ақмол өнер мектебі", "Акмольская школа искусств", "Aqmol school of arts"),
            Names("«Дала қырандары» спорт клубы", "Спортклуб «Степные орлы»", "Steppe Eagles sports club"),
            Names("Қосшы оқушылар үйі", "Дом школьников города Косшы", "Qosshy house of pupils"),
            Names("«Ақ бота» балалар орталығы", "Детский центр «Ак бота»", "Aq Bota children's center"),
            Names("«Болашақ» тіл орталығы", "Языковой центр «Болашак»", "Bolashaq language center"),
            Names("Талапкер спорт мектебі", "Талапкерская спортивная школа", "Talapker sports school"),
            Names("«Сахна» театр студиясы", "Театральная студия «Сахна»", "Sahna theater studio"),
            Names("«Ойшыл» шахмат клубы", "Шахматный клуб «Ойшыл»", "Oishyl chess club"),
            Names("«Табиғат» экология орталығы", "Экоцентр «Табигат»", "Tabigat ecology center"),
        ),
        start=1,
    )
)


WITH_DEVICE = 1
"""The provider whose door has a device that sees who comes."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group; coach-n holds the n-th. Groups of one provider and direction belong to one club."""

    number: int
    provider: int
    direction: str
    name: Names
    price_tenge: int
    capacity: int
    ages: tuple[int, int]
    weekdays: tuple[int, ...]
    """1 is Monday."""
    hours: tuple[str, str]

    @property
    def price_tiyn(self) -> int:
        """For a whole month."""
        return self.price_tenge * 100


_OLDER = ("үлкен топ", "старшая группа", "older group")
_YOUNGER = ("кіші топ", "младшая группа", "younger group")
_ODD, _EVEN, _SATURDAY = (1, 3, 5), (2, 4), (6,)
_EARLY, _LATE, _MORNING = ("15:00", "16:30"), ("17:00", "18:30"), ("10:00", "12:00")

_CLUBS = {
    "robotics": Names("Робототехника", "Робототехника", "Robotics"),
    "programming": Names("Бағдарламалау", "Программирование", "Programming"),
    "dombyra": Names("Домбыра", "Домбра", "Dombyra"),
    "drawing": Names("Сурет", "Рисование", "Drawing"),
    "wrestling": Names("Қазақ күресі", "Казахша курес", "Kazakh wrestling"),
    "football": Names("Футбол", "Футбол", "Football"),
    "dance": Names("Халық биі", "Народный танец", "Folk dance"),
    "crafts": Names("Қолөнер", "Рукоделие", "Crafts"),
    "english": Names("Ағылшын тілі", "Английский язык", "English"),
    "kazakh": Names("Қазақ тілі", "Казахский язык", "Kazakh"),
    "volleyball": Names("Волейбол", "Волейбол", "Volleyball"),
    "theater": Names("Театр", "Театр", "Theater"),
    "chess": Names("Шахмат", "Шахматы", "Chess"),
    "ecology": Names("Экология", "Экология", "Ecology"),
}
DIRECTIONS = tuple(_CLUBS)

_Row = tuple[str, int, int, int, tuple[str, str, str], tuple[int, int], tuple[int, ...], tuple[str, str]]
_ROWS: tuple[_Row, ...] = (
    # direction, provider, price in tenge, capacity, which group, ages, weekdays, hours
    ("robotics", 1, 18_750, 6, _OLDER, (10, 15), _ODD, _EARLY),
    ("robotics", 1, 16_500, 12, _YOUNGER, (6, 9), _EVEN, _EARLY),
    ("programming", 1, 17_500, 10, _OLDER, (11, 16), _ODD, _LATE),
    ("dombyra", 2, 12_000, 10, _OLDER, (10, 15), _EVEN, _EARLY),
    ("dombyra", 2, 12_000, 10, _YOUNGER, (6, 9), _ODD, _EARLY),
    ("drawing", 2, 11_000, 15, _OLDER, (9, 15), _SATURDAY, _MORNING),
    ("wrestling", 3, 9_500, 20, _OLDER, (10, 16), _ODD, _LATE),
    ("wrestling", 3, 9_500, 20, _YOUNGER, (6, 9), _EVEN, _LATE),
    ("football", 3, 10_500, 22, _OLDER, (9, 15), _EVEN, _LATE),
    ("dance", 4, 12_500, 16, _OLDER, (10, 15), _ODD, _EARLY),
    ("dance", 4, 12_500, 16, _YOUNGER, (6, 9), _EVEN, _EARLY),
    ("crafts", 4, 8_000, 15, _YOUNGER, (6, 10), _SATURDAY, _MORNING),
    ("crafts", 5, 8_500, 12, _OLDER, (10, 15), _SATURDAY, _MORNING),
    ("drawing", 5, 10_000, 12, _YOUNGER, (6, 9), _ODD, _EARLY),
    ("english", 6, 15_000, 12, _OLDER, (10, 16), _ODD, _LATE),
    ("english", 6, 14_000, 12, _YOUNGER, (6, 9), _EVEN, _LATE),
    ("kazakh", 6, 9_000, 15, _YOUNGER, (6, 12), _SATURDAY, _MORNING),
    ("volleyball", 7, 10_000, 18, _OLDER, (11, 16), _EVEN, _LATE),
    ("football", 7, 9_500, 22, _YOUNGER, (6, 9), _ODD, _LATE),
    ("theater", 8, 18_000, 14, _OLDER, (10, 16), _EVEN, _EARLY),
    ("theater", 8, 16_000, 14, _YOUNGER, (6, 9), _ODD, _EARLY),
    ("chess", 9, 9_000, 16, _OLDER, (10, 16), _EVEN, _EARLY),
    ("chess", 9, 8_500, 16, _YOUNGER, (6, 9), _SATURDAY, _MORNING),
    ("ecology", 10, 7_500, 20, _OLDER, (10, 16), _SATURDAY, _MORNING),
    ("ecology", 10, 7_000, 20, _YOUNGER, (6, 9), _SATURDAY, _MORNING),
)


def _group(number: int, row: _Row) -> Group:
    direction, provider, price, capacity, which, ages, weekdays, hours = row
    club = _CLUBS[direction]
    name = Names(f"{club.kk}: {which[0]}", f"{club.ru}: {which[1]}", f"{club.en}: {which[2]}")
    return Group(number, provider, direction, name, price, capacity, ages, weekdays, hours)


GROUPS = tuple(_group(number, row) for number, row in enumerate(_ROWS, start=1))


def club_name(direction: str) -> Names:
    """What a club of this direction is called."""
    return _CLUBS[direction]


def group(direction: str) -> Group:
    """The first group of a direction."""
    return next(one for one in GROUPS if one.direction == direction)


_ALREADY = (("robotics", range(6, 10)), ("dombyra", range(101, 106)), ("football", range(106, 111)))
_MORE = (("chess", range(111, 116)), ("drawing", range(116, 121)))
ENROLLED = tuple((child, group(direction)) for direction, numbers in (*_ALREADY, *_MORE) for child in numbers)
"""Children (by number) who are enrolled before the story begins, from its first Wednesday."""
FIRST_DAY = "2026-09-09"

REACHED = (*range(1, 6), *(child for child, _ in ENROLLED))
"""Guardians who have said how they are reached: those of the story, and of the children enrolled before."""


@dataclass(frozen=True, slots=True)
class Contacts:
    """Where and in which language a guardian wants to be told. Addresses of a domain that cannot exist."""

    email: str
    phone: str
    language: str


_LANGUAGES = {2: "ru", 3: "en"}


def contacts(number: int) -> Contacts:
    """Of guardian-n. As in `local.population`, the names of every fifth family are Russian."""
    language = _LANGUAGES.get(number, "kk" if number % 5 else "ru")
    return Contacts(f"guardian-{number}@example.kz", f"+7701000{number:04}", language)
