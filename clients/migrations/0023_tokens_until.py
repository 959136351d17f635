from datetime import timedelta

from django.db import migrations, models


def as_shown_until_now(apps, schema_editor):
    rotations = apps.get_model("clients", "Rotation").objects.filter(removed_at__isnull=False)
    for rotation in rotations.select_related("app_client").iterator():
        rotation.tokens_until = rotation.removed_at + timedelta(seconds=rotation.app_client.access_token_seconds)
        rotation.save(update_fields=["tokens_until"])


class Migration(migrations.Migration):
    dependencies = [("clients", "0022_counted_by_tenant")]

    operations = [
        migrations.AddField(
            model_name="appclient",
            name="older_tokens_until",
            field=models.DateTimeField(
                help_text="When tokens of a longer validity, shortened since, have all expired.", null=True
            ),
        ),
        migrations.AddField(
            model_name="rotation",
            name="tokens_until",
            field=models.DateTimeField(help_text="When the last token issued with it has expired.", null=True),
        ),
        migrations.RunPython(as_shown_until_now, migrations.RunPython.noop),
    ]
