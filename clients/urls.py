"""Every route of the portal."""

from django.urls import path, register_converter

from clients.views import (
    acting,
    activity,
    activity_export,
    app_clients,
    attributes,
    bulk,
    bulk_rotations,
    catalogue,
    client_settings,
    client_states,
    components,
    customer,
    definitions,
    exports,
    handover_link,
    handovers,
    health,
    home,
    invitations,
    leaks,
    operations,
    overview,
    people,
    policies,
    reminders,
    restores,
    retirements,
    revocations,
    rotations,
    scopes,
    secrets,
    shortcut,
    snippets,
    tenant_changes,
    tenant_values,
    tenants,
    theme,
    tokens,
)  # fmt: skip


class Ulid:
    """What can be an id of ours; anything else never reaches a query."""

    regex = "[0-9A-HJKMNP-TV-Z]{26}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class TenantAct(Ulid):
    """What a tenant's page may be asked to do."""

    regex = "pause|resume|off-board"


class ActivityForm(Ulid):
    """What the trail can be taken out as."""

    regex = "csv|jsonl"


class MemberPage(Ulid):
    """Which page of members staff look at."""

    regex = "clients|activity|members"


class ClientTab(Ulid):
    """Which tab of a client's page."""

    regex = "overview|secrets|scopes|attributes|snippets|activity|settings"


class Scanner(Ulid):
    """Which secret scanner a rule file is for."""

    regex = "gitleaks|detect-secrets|github"


register_converter(Ulid, "ulid")
register_converter(ActivityForm, "activity_form")
register_converter(Scanner, "scanner")
register_converter(MemberPage, "member_page")
register_converter(ClientTab, "client_tab")
register_converter(TenantAct, "tenant_act")

urlpatterns = [
    path("", home.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("theme/", theme.theme_set, name="theme-set"),
    path("shortcut/", shortcut.shortcut_set, name="shortcut-set"),
    path("invitation/", invitations.invitation_accept, name="invitation-accept"),
    path("hand-over/", handover_link.handover_link, name="handover-link"),
    path("hand-overs/<ulid:public_id>/", handovers.handover_page, name="handover-page"),
    path("hand-overs/<ulid:public_id>/revoke/", handovers.handover_revoke, name="handover-revoke"),
    path("hand-overs/<ulid:public_id>/again/", handovers.handover_again, name="handover-again"),
    path("hand-overs/<ulid:public_id>/show/", handovers.handover_show, name="handover-show"),
    path("hand-overs/<ulid:public_id>/stored/", handovers.handover_stored, name="handover-stored"),
    path("clients/", app_clients.client_list, name="client-list"),
    path("clients/export.csv", exports.client_export, name="client-export"),
    path("clients/contact/", bulk.contact_set, name="contact-set"),
    path("clients/rotate/", bulk_rotations.bulk_rotate, name="bulk-rotate"),
    path("rotations/runs/<ulid:public_id>/", bulk_rotations.bulk_run, name="bulk-run"),
    path("clients/<ulid:public_id>/reminders/", reminders.client_reminders, name="client-reminders"),
    path("tenants/<slug:slug>/policies/", policies.tenant_policies, name="tenant-policies"),
    path("restore/", restores.restore_page, name="restore-page"),
    path("clients/new/", app_clients.client_create, name="client-create"),
    path("clients/<ulid:public_id>/", overview.client_overview, name="client-overview"),
    path("clients/<ulid:public_id>/request/", customer.change_request, name="change-request"),
    path("clients/<ulid:public_id>/token/", tokens.client_token, name="client-token"),
    path("clients/<ulid:public_id>/hand-over/", handovers.handover_create, name="handover-create"),
    path("clients/<ulid:public_id>/secrets/", secrets.client_secrets, name="client-secrets"),
    path("clients/<ulid:public_id>/secrets/<ulid:secret_id>/show/", secrets.secret_show, name="secret-show"),
    path("clients/<ulid:public_id>/secrets/<ulid:secret_id>/revoke/", revocations.secret_revoke, name="secret-revoke"),
    path("clients/<ulid:public_id>/rotate/", rotations.secret_rotate, name="secret-rotate"),
    path("rotations/<ulid:public_id>/", rotations.rotation_page, name="rotation-page"),
    path("rotations/<ulid:public_id>/finish/", rotations.rotation_finish, name="rotation-finish"),
    path("rotations/<ulid:public_id>/cancel/", rotations.rotation_cancel, name="rotation-cancel"),
    path("rotations/<ulid:public_id>/extend/", rotations.rotation_extend, name="rotation-extend"),
    path("rotations/<ulid:public_id>/acknowledge/", rotations.rotation_acknowledge, name="rotation-acknowledge"),
    path("rotations/<ulid:public_id>/dismiss/", rotations.rotation_dismiss, name="rotation-dismiss"),
    path("clients/<ulid:public_id>/secrets/<ulid:secret_id>/stored/", secrets.secret_stored, name="secret-stored"),
    path("clients/<ulid:public_id>/scopes/", scopes.client_scopes, name="client-scopes"),
    path("clients/<ulid:public_id>/attributes/", attributes.client_attributes, name="client-attributes"),
    path("clients/<ulid:public_id>/snippets/", snippets.client_snippets, name="client-snippets"),
    path("clients/<ulid:public_id>/snippets/curl/", snippets.snippet_curl, name="snippet-curl"),
    path("clients/<ulid:public_id>/activity/", activity.client_activity, name="client-activity"),
    path("clients/<ulid:public_id>/settings/", client_settings.client_settings, name="client-settings"),
    path("clients/<ulid:public_id>/pause/", client_states.client_pause, name="client-pause"),
    path("clients/<ulid:public_id>/resume/", client_states.client_resume, name="client-resume"),
    path("clients/<ulid:public_id>/delete/", client_states.client_delete, name="client-delete"),
    path("whose/", leaks.secret_find, name="secret-find"),
    path("whose/rules/<scanner:name>/", leaks.scanner_rules, name="scanner-rules"),
    path("tenants/", tenants.tenant_list, name="tenant-list"),
    path("tenants/new/", tenants.tenant_create, name="tenant-create"),
    path("tenants/<slug:slug>/", tenants.tenant_page, name="tenant-page"),
    path("tenants/<slug:slug>/as-member/", acting.customer_home_as, name="customer-home-as"),
    path("tenants/<slug:slug>/as-member/<member_page:page>/", acting.customer_page_as, name="customer-page-as"),
    path(
        "tenants/<slug:slug>/as-member/clients/<ulid:public_id>/<client_tab:tab>/",
        acting.customer_client_as,
        name="customer-client-as",
    ),
    path("tenants/<slug:slug>/details/", tenants.tenant_details, name="tenant-details"),
    path("tenants/<slug:slug>/values/", tenant_values.tenant_values, name="tenant-values"),
    path("tenants/<slug:slug>/<tenant_act:kind>/", tenant_changes.tenant_change_start, name="tenant-change-start"),
    path("tenants/<slug:slug>/changes/<ulid:public_id>/", tenant_changes.tenant_change, name="tenant-change"),
    path("attributes/", definitions.attribute_list, name="attribute-list"),
    path("attributes/new/", definitions.attribute_define, name="attribute-define"),
    path("attributes/<int:pk>/", definitions.attribute_change, name="attribute-change"),
    path("attributes/<int:pk>/retire/", definitions.attribute_retire, {"is_retired": True}, name="attribute-retire"),
    path("attributes/<int:pk>/restore/", definitions.attribute_retire, {"is_retired": False}, name="attribute-restore"),
    path("scopes/", catalogue.scope_list, name="scope-list"),
    path("scopes/new/", catalogue.server_create, name="server-create"),
    path("scopes/adopt/", catalogue.server_adopt, name="server-adopt"),
    path("scopes/<int:server_id>/", catalogue.server_page, name="server-page"),
    path("scopes/<int:server_id>/api/", catalogue.server_api, name="server-api"),
    path("scopes/<int:server_id>/change/", catalogue.server_change, name="server-change"),
    path("scopes/<int:server_id>/retire/", retirements.server_retire, name="server-retire"),
    path("scopes/retirements/<ulid:public_id>/", retirements.retirement_page, name="retirement-page"),
    path("components/", components.component_list, name="component-list"),
    path("people/", people.person_list, name="person-list"),
    path("people/invite/", people.person_invite, name="person-invite"),
    path("people/<int:pk>/", people.person_page, name="person-page"),
    path("people/<int:pk>/role/", people.person_role, name="person-role"),
    path("people/<int:pk>/deactivate/", people.person_deactivate, name="person-deactivate"),
    path("people/<int:pk>/second-factor/", people.person_factor_remove, name="person-factor-remove"),
    path("people/<int:pk>/activate/", people.person_activate, name="person-activate"),
    path("people/invitations/<int:pk>/again/", people.invitation_again, name="invitation-again"),
    path("people/invitations/<int:pk>/withdraw/", people.invitation_withdraw, name="invitation-withdraw"),
    path("activity/", activity.activity_list, name="activity-list"),
    path("activity/export.<activity_form:form>", activity_export.activity_export, name="activity-export"),
    path("activity/<int:sequence>/", activity.activity_entry, name="activity-entry"),
    path("operations/", operations.operation_list, name="operation-list"),
    path("operations/<ulid:operation_id>/retry/", operations.operation_retry, name="operation-retry"),
]
