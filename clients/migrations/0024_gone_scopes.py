from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("clients", "0023_tokens_until")]

    operations = [
        migrations.AddField(
            model_name="scope",
            name="gone_at",
            field=models.DateTimeField(help_text="Since when Cognito is known to have it no more.", null=True),
        ),
    ]
