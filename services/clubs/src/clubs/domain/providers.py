"""Who may be a provider. What it offers is in `groups`; its staff are grants without a rule."""

from idnumbers.nationalid.kaz import business_id

from shared.errors import ConflictError, InvalidError

BIN_LENGTH = 12


class InvalidBinError(InvalidError):
    """Not the number of an organization: wrong length, checksum, month or kind (a person's IIN, say)."""

    code = "bin_invalid"


class ProviderExistsError(ConflictError):
    """One organization, one provider."""

    code = "provider_exists"


class AlreadyStaffError(ConflictError):
    """The person has this role at this provider."""

    code = "already_staff"


def check_bin(number: str) -> str:
    """The BIN itself, if it can be one.

    The library's pattern takes digits of every script and a line break at the end, so both are refused here.
    """
    plain = len(number) == BIN_LENGTH and number.isascii() and number.isdigit()
    if not plain or not business_id.BusinessIDNumber.validate(number):
        raise InvalidBinError
    return number
