"""What enrollment needs to be told besides what every service is."""

from uuid import UUID

from shared.settings import Settings

DEVELOPMENT_REGION = UUID("0d6c1f9a-51d7-5c0e-8a52-7d3c0f0e4b01")


class EnrollmentSettings(Settings):
    """The settings of one of enrollment's processes."""

    register_url: str = "http://127.0.0.1:8100/register"
    """The population register, which says who may speak for a child."""
    first_administrators: str = ""
    """Person ids, comma-separated: made administrators of `first_region` if nobody is one yet."""
    first_region: UUID = DEVELOPMENT_REGION

    @property
    def first_administrator_ids(self) -> tuple[UUID, ...]:
        """The people named."""
        return tuple(UUID(one.strip()) for one in self.first_administrators.split(",") if one.strip())
