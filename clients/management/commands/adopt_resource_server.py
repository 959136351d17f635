"""Takes a resource server that exists in Cognito into the catalogue."""

from typing import Any

from django.core.management.base import BaseCommand

from clients import permissions
from clients.aws.cognito import Gateway
from clients.management.said import find_actor_who_may, find_pool, refusals_told
from clients.models import ApiKind
from clients.services.catalogue import Api, adopt_resource_server


class Command(BaseCommand):
    help = "Adopts resource servers with their scopes. Without --identifier or --all: lists what Cognito has."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--pool", required=True, help="environment label or Cognito's pool id")
        parser.add_argument("--identifier", help="one resource server")
        parser.add_argument("--all", action="store_true", help="every resource server of the pool")
        parser.add_argument("--api-kind", choices=ApiKind.values, help="left out: stays as it is")
        parser.add_argument("--api-url", default="", help="where its API is called, for snippets")
        parser.add_argument("--example-call", default="", help="AppSync: a GraphQL query; REST: a JSON body")
        parser.add_argument("--actor", required=True, help="e-mail of the person this is done for")

    def handle(self, *args: Any, **options: Any) -> None:
        actor, via = find_actor_who_may(options["actor"], permissions.can_change_catalogue, "change the catalogue")
        pool = find_pool(options["pool"])
        with refusals_told():
            there = [s["Identifier"] for s in Gateway(pool.region, pool.user_pool_id).list_resource_servers()]
        chosen = there if options["all"] else [options["identifier"]] if options["identifier"] else []
        if not chosen:
            self.stdout.write(f"In Cognito: {', '.join(there) or 'none'}. Choose --identifier or --all.")
            return
        api = Api(options["api_kind"], options["api_url"], example_call=options["example_call"] or "")
        call = {"api": api if options["api_kind"] else None}
        for identifier in chosen:
            with refusals_told():
                server = adopt_resource_server(pool, actor=actor, via=via, identifier=identifier, **call)
            names = [f"{s.full_name} (gone in Cognito)" if s.gone_at else s.full_name for s in server.scopes.all()]
            self.stdout.write(f"{identifier}: {', '.join(names) or 'no scopes'}")
