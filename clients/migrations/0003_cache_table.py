"""The shared cache (rate limits count in it) is a table of this database: `migrate` makes it, nobody has to remember."""
from django.core.management import call_command
from django.db import migrations


def create(apps, schema_editor) -> None:
    call_command("createcachetable", "django_cache", database=schema_editor.connection.alias)


class Migration(migrations.Migration):
    dependencies = [("clients", "0002_audit_is_append_only")]
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
