import django.db.models.functions.text
from django.core.management import CommandError
from django.db import migrations, models
from django.db.models import Count
from django.db.models.functions import Lower


def refuse_alike(apps, schema_editor):
    """Which of them keeps its name is for people to say."""
    tenants = apps.get_model("clients", "Tenant").objects.order_by().annotate(lower=Lower("name"))
    twice = tenants.values("lower").annotate(count=Count("pk")).filter(count__gt=1).values("lower")
    if names := list(tenants.filter(lower__in=twice).order_by("lower", "pk").values_list("name", flat=True)):
        raise CommandError(
            f"These tenants' names differ in capital letters alone: {', '.join(names)}. Rename all but one of each on "
            "their pages, with the version that ran until now, then migrate again."
        )


class Migration(migrations.Migration):
    dependencies = [("clients", "0025_resource_server_drift")]

    operations = [
        migrations.RunPython(refuse_alike, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="tenant",
            constraint=models.UniqueConstraint(django.db.models.functions.text.Lower("name"), name="tenant_name_once"),
        ),
    ]
