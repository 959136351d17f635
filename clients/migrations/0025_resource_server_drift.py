from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("clients", "0024_gone_scopes")]

    operations = [
        migrations.AddField(
            model_name="resourceserver",
            name="drift",
            field=models.JSONField(blank=True, default=dict, help_text="What Cognito holds otherwise, since it was read."),
        ),
    ]
