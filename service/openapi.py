"""Write `openapi.yaml`, the API reference: `python -m macrid.service.openapi > openapi.yaml`.

A test keeps the file equal to the app.
"""

import sys

from macrid.service.app import create_app
from macrid.service.settings import Settings


def openapi_yaml() -> str:
    """Return the OpenAPI document of the app as YAML."""
    import yaml  # of the development environment: the server itself answers /openapi.json and needs no YAML

    class Dumper(yaml.SafeDumper):
        """Writes texts of several lines as such, and not as one quoted line."""

    def represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Dumper.add_representer(str, represent_text)
    document = create_app(Settings()).openapi()
    return yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)


if __name__ == "__main__":
    sys.stdout.write(openapi_yaml())
