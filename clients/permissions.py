"""Who may what: one predicate per act, following the table of the product's documentation."""

from typing import Any

ADMINISTRATOR, OPERATOR, SUPPORT, AUDITOR = "administrator", "operator", "support", "auditor"
MANAGER, DEVELOPER = "manager", "developer"
EVERYONE = frozenset({ADMINISTRATOR, OPERATOR, SUPPORT, AUDITOR, MANAGER, DEVELOPER})


def _is(person: Any, *roles: str) -> bool:
    return bool(person.is_active) and person.role in roles


def can_view_clients(person: Any) -> bool:
    """Which clients: staff all, members their tenant's (`AppClientQuerySet.visible_to`)."""
    return _is(person, *EVERYONE)


def can_export_clients(person: Any) -> bool:
    """Whoever may view the list, and of it what they may view."""
    return can_view_clients(person)


def can_create_client(person: Any) -> bool:
    return _is(person, ADMINISTRATOR, OPERATOR)


def can_change_scopes(person: Any) -> bool:
    return _is(person, ADMINISTRATOR, OPERATOR)


def can_change_attributes(person: Any) -> bool:
    return _is(person, ADMINISTRATOR, OPERATOR)


def can_change_settings(person: Any) -> bool:
    return _is(person, ADMINISTRATOR, OPERATOR)


def can_set_contact(person: Any) -> bool:
    """Of one client or of many chosen in the list: it is one of the settings."""
    return can_change_settings(person)


def can_connect_pool(person: Any) -> bool:
    return _is(person, ADMINISTRATOR)


def can_change_catalogue(person: Any) -> bool:
    """Resource servers and scopes: create, adopt, edit, retire."""
    return _is(person, ADMINISTRATOR, OPERATOR)


def can_pause_client(person: Any) -> bool:
    return _is(person, ADMINISTRATOR, OPERATOR, SUPPORT)


def can_resume_client(person: Any) -> bool:
    return _is(person, ADMINISTRATOR, OPERATOR, SUPPORT)


def can_rotate_secret(person: Any) -> bool:
    """Start a rotation; managers where their tenant's policy lets them."""
    if _is(person, MANAGER):
        return bool(person.tenant and person.tenant.members_may_rotate)
    return _is(person, ADMINISTRATOR, OPERATOR, SUPPORT)


def can_finish_rotation(person: Any) -> bool:
    """On evidence; a member who finishes says with it that the new secret is in use."""
    return _is(person, ADMINISTRATOR, OPERATOR, SUPPORT, MANAGER, DEVELOPER)


def can_extend_overlap(person: Any) -> bool:
    return _is(person, ADMINISTRATOR, OPERATOR, SUPPORT, MANAGER)


def can_cancel_rotation(person: Any) -> bool:
    return _is(person, ADMINISTRATOR, OPERATOR, SUPPORT)


def can_override_evidence(person: Any) -> bool:
    """Remove a secret although nobody knows that the new one is in use."""
    return _is(person, ADMINISTRATOR, OPERATOR)


def can_acknowledge_secret(person: Any) -> bool:
    """Say for one's own organisation that the new secret is in use."""
    return _is(person, MANAGER, DEVELOPER)


def can_revoke_secret(person: Any) -> bool:
    """Emergency: a secret that leaked."""
    return _is(person, ADMINISTRATOR, OPERATOR, SUPPORT)


def can_view_rotations(person: Any) -> bool:
    """Which: staff all, members their tenant's (`RotationQuerySet.visible_to`)."""
    return _is(person, *EVERYONE)


def can_set_policies(person: Any) -> bool:
    """What rotations of a tenant may and do."""
    return _is(person, ADMINISTRATOR)


def can_rotate_many(person: Any) -> bool:
    """Start rotations of a filtered list."""
    return _is(person, ADMINISTRATOR, OPERATOR, SUPPORT)


def can_postpone_reminders(person: Any) -> bool:
    return _is(person, ADMINISTRATOR, OPERATOR, SUPPORT)


def can_end_restore(person: Any) -> bool:
    """Let the portal change things in AWS again after a backup was restored."""
    return _is(person, ADMINISTRATOR)


def can_rotate_keys(person: Any) -> bool:
    """Seal everything anew under another key, or give up a lost one, on the command line."""
    return _is(person, ADMINISTRATOR)


def can_delete_client(person: Any) -> bool:
    return _is(person, ADMINISTRATOR, OPERATOR)


def can_view_tenants(person: Any) -> bool:
    """Tenants and attribute definitions as staff see them; members know their own organisation only."""
    return _is(person, ADMINISTRATOR, OPERATOR, SUPPORT, AUDITOR)


def can_change_tenants(person: Any) -> bool:
    """Create and change tenants, and the values their clients' tokens carry."""
    return _is(person, ADMINISTRATOR, OPERATOR)


def can_define_attribute(person: Any) -> bool:
    """Define, change, retire and take back attribute definitions."""
    return _is(person, ADMINISTRATOR)


def can_show_secret(person: Any) -> bool:
    """A new, undelivered secret, as its receiver. Never support: it may rotate, and sees no value."""
    return _is(person, ADMINISTRATOR, OPERATOR)


def can_hand_over(person: Any) -> bool:
    """Hand over a new secret, with link and PIN."""
    return _is(person, ADMINISTRATOR, OPERATOR)


def can_send_handover(person: Any) -> bool:
    """Hand over to members, or by a mail of the portal to an address recorded before; again, too; and revoke it."""
    return _is(person, ADMINISTRATOR, OPERATOR, SUPPORT)


def can_take_handover(person: Any) -> bool:
    """Be shown what is handed over to one by name."""
    return _is(person, MANAGER, DEVELOPER)


def can_find_secret(person: Any) -> bool:
    """Ask whose a secret is that somebody found somewhere. Whoever may then revoke it."""
    return _is(person, ADMINISTRATOR, OPERATOR, SUPPORT)


def can_get_token(person: Any) -> bool:
    """With a secret typed by hand; auditors act on nothing."""
    return _is(person, ADMINISTRATOR, OPERATOR, SUPPORT, MANAGER, DEVELOPER)


def can_request_change(person: Any) -> bool:
    """Ask the contact for what members may not change."""
    return _is(person, MANAGER, DEVELOPER)


def can_get_snippets(person: Any) -> bool:
    return _is(person, ADMINISTRATOR, OPERATOR, SUPPORT, MANAGER, DEVELOPER)


def can_see_activity(person: Any) -> bool:
    return _is(person, *EVERYONE)


def can_see_operations(person: Any) -> bool:
    return _is(person, ADMINISTRATOR, OPERATOR, SUPPORT, AUDITOR)


def can_retry_operation(person: Any) -> bool:
    return _is(person, ADMINISTRATOR, OPERATOR, SUPPORT)


def can_manage_people(person: Any) -> bool:
    """Of whom: `managed_by` of people and invitations. Administrators also their roles."""
    return _is(person, ADMINISTRATOR, OPERATOR, MANAGER)


def can_remove_second_factor(person: Any) -> bool:
    """Of a colleague who lost it."""
    return _is(person, ADMINISTRATOR)


def can_change_role(person: Any) -> bool:
    return _is(person, ADMINISTRATOR)
