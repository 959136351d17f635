from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clients", "0009_pausing_and_leaving"),
    ]

    operations = [
        migrations.AddField(
            model_name="attributedefinition",
            name="generation",
            field=models.PositiveIntegerField(default=1, help_text="Raised by every change; a form carries it."),
        ),
    ]
