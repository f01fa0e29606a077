"""Reads a dashboard from stdin into Grafana's own types, and writes it again. Prints the paths of the fields that the types
dropped or changed, as a JSON list. Fields that the types add are Grafana's defaults and are ignored. Fails if a value does not
have the type of its field, which reading alone does not check."""

import enum
import json
import sys
import typing

from grafana_foundation_sdk.cog import encoder, plugins, runtime
from grafana_foundation_sdk.models import dashboard


def differences(before, after, path=""):
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            place = f"{path}.{name}" if path else name
            yield from differences(value, after[name], place) if name in after else [place]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for one, other in zip(before, after):
            yield from differences(one, other, f"{path}[]")
    elif before != after or isinstance(before, bool) != isinstance(after, bool):
        yield path


def of_another_type(value, hint, path):
    """Yields the fields below this one whose values do not have the annotated type."""
    parts = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Union:
        found = [list(of_another_type(value, part, path)) for part in parts]
        if all(found):
            yield from found[0]
    elif isinstance(value, list):
        for item in value:
            yield from of_another_type(item, parts[0] if parts else hint, f"{path}[]")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from of_another_type(item, parts[-1] if parts else hint, f"{path}.{name}")
    elif hasattr(value, "to_json") and not isinstance(value, runtime.UnknownDataquery):
        for name, kind in typing.get_type_hints(type(value)).items():
            yield from of_another_type(getattr(value, name), kind, f"{path}.{name}")
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        if value not in [member.value for member in hint]:
            yield f"{path} is {value!r}"
    elif hint in (str, bool, int, float, type(None)):
        kind = (int, float) if hint is float else hint
        if not isinstance(value, kind) or isinstance(value, bool) != (hint is bool):
            yield f"{path} is {value!r}"


plugins.register_default_plugins()
before = json.load(sys.stdin)
# The types keep unknown panels and queries unchanged, so the comparison would prove nothing.
for panel in before["panels"]:
    if panel["type"] != "row" and runtime.panelcfg_config(panel["type"]) is None:
        sys.exit(f"{panel['title']}: Grafana has no panel of the type {panel['type']}")
    for target in panel.get("targets", []):
        if isinstance(runtime.dataquery_from_json(target, ""), runtime.UnknownDataquery):
            sys.exit(f"{panel['title']}: Grafana has no data source of the type of query {target['refId']}")
read = dashboard.Dashboard.from_json(before)
if complaints := list(of_another_type(read, dashboard.Dashboard, "dashboard")):
    sys.exit("\n".join(complaints))
after = json.loads(json.dumps(read, cls=encoder.JSONEncoder))
print(json.dumps(sorted(set(differences(before, after)))))
