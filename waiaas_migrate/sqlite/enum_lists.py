from waiaas_migrate.schema.enum_lists import Membership, membership_of

__all__ = ["Membership", "membership_of"]
