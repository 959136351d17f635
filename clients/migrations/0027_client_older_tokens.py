from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("clients", "0026_tenant_name_once")]

    operations = [
        migrations.AddIndex(
            model_name="appclient",
            index=models.Index(
                condition=models.Q(("older_tokens_until__isnull", False)),
                fields=["older_tokens_until"],
                name="client_older_tokens",
            ),
        ),
    ]
