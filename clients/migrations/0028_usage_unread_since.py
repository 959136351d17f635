from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("clients", "0027_client_older_tokens")]

    operations = [
        migrations.AddField(
            model_name="userpool",
            name="usage_unread_since",
            field=models.DateTimeField(
                help_text="No look into the usage table succeeded since then.", null=True
            ),
        ),
    ]
