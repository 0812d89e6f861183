"""The Jinja templates of migrations, compiled and rendered."""
