"""The invented population of a rural district: what the development register knows, and the seeds plant.

300 children, the n-th with guardian-n, computed and the same on every machine. Their IINs take the serial
numbers 9001 to 9700, a range these data claim as theirs: nobody real is meant. A dozen schools of a district
that looks like Tselinograd's. Which clubs there are and who pays is the seeds' affair.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from idnumbers.nationalid.kaz.individual_id import IndividualIDNumber

_SERIALS = range(9001, 9701)
_FIRST_BIRTH = date(2012, 1, 9)

_BOYS = ("Әлихан", "Нұрасыл", "Ерасыл", "Мирас", "Санжар", "Бекзат", "Ғалымжан", "Өркен", "Һамит")
_GIRLS = ("Айзере", "Інжу", "Томирис", "Кәусар", "Аяла", "Ұлжан", "Қарақат", "Гүлназ", "Жаңыл")
_RUSSIAN_BOYS = ("Артём", "Иван", "Матвей")
_RUSSIAN_GIRLS = ("Алёна", "Мария", "Софья")
_SURNAMES = ("Сейітов", "Қасымов", "Жүнісов", "Әбдірахманов", "Тілеубаев", "Мұқанов", "Өтегенов", "Ыбыраев")
_RUSSIAN_SURNAMES = ("Иванов", "Королёв", "Лебедев", "Шевцов", "Щербаков")
_FATHERS = ("Ерлан", "Нұрлан", "Асқар", "Дәурен", "Қайрат", "Мұрат", "Серік", "Жандос")
_RUSSIAN_FATHERS = ("Сергее", "Андрее", "Алексее")


@dataclass(frozen=True, slots=True)
class School:
    """A school; `rural` gives its children a right to rural programs."""

    name: str
    rural: bool


@dataclass(frozen=True, slots=True)
class Child:
    """A child as the register knows it."""

    iin: str
    born: date
    given_name: str
    family_name: str
    patronymic: str
    school: School
    priority: int
    """0 for most; 1 and 2 for social categories that go first in queues."""
    guardians: tuple[str, ...]
    """Logins of those who may speak for the child."""


SCHOOLS = tuple(
    School(name, rural=name != "Қосшы қаласының № 1 мектеп-лицейі")
    for name in (
        "Ақмол ауылының № 1 орта мектебі",
        "Қосшы қаласының № 1 мектеп-лицейі",
        "Талапкер орта мектебі",
        "Қараөткел орта мектебі",
        "Қабанбай батыр атындағы орта мектеп",
        "Воздвиженская средняя школа",
        "Софиевская средняя школа",
        "Новоишимская средняя школа",
        "Родина орта мектебі",
        "Оразақ орта мектебі",
        "Мәншүк Мәметова атындағы орта мектеп",
        "Тайтөбе негізгі мектебі",
    )
)


def _iin(born: date, *, girl: bool, number: int) -> str:
    """Born in this century, with a right control digit; some serial numbers have none and are passed over."""
    for serial in range(_SERIALS.start + number - 1, _SERIALS.stop, 350):
        stem = f"{born:%y%m%d}{6 if girl else 5}{serial}"
        control = IndividualIDNumber.checksum(f"{stem}0")
        if control is not None:
            return f"{stem}{control}"
    raise AssertionError("neither serial number has a control digit")


def _names(number: int, *, girl: bool) -> dict[str, str]:
    russian = number % 5 == 0
    given = (_RUSSIAN_GIRLS if girl else _RUSSIAN_BOYS) if russian else (_GIRLS if girl else _BOYS)
    surnames, fathers = (_RUSSIAN_SURNAMES, _RUSSIAN_FATHERS) if russian else (_SURNAMES, _FATHERS)
    kazakh_ending, russian_ending = ("қызы", "вна") if girl else ("ұлы", "вич")
    return {
        "given_name": given[number // 2 % len(given)],
        "family_name": surnames[number // 3 % len(surnames)] + ("а" if girl else ""),
        "patronymic": fathers[number % len(fathers)] + (russian_ending if russian else kazakh_ending),
    }


def _child(number: int) -> Child:
    girl = number % 2 == 0
    born = _FIRST_BIRTH + timedelta(days=number * 10 + number % 7)
    guardians = [f"guardian-{number}"]
    if number % 25 == 0:
        guardians.append(f"guardian-{number - 1}")
    return Child(
        iin=_iin(born, girl=girl, number=number),
        born=born,
        **_names(number, girl=girl),
        school=SCHOOLS[number % 12],
        priority=2 if number % 23 == 0 else int(number % 7 == 0),
        guardians=tuple(guardians),
    )


CHILDREN = tuple(_child(number) for number in range(1, 301))
"""The n-th child, counted from 1, is guardian-n's."""
