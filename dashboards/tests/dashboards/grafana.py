"""Reads a dashboard from standard input into Grafana's own types, and writes it again. Prints what the types dropped or
changed, as a list of paths in JSON, each once; fields that they add are Grafana's defaults, and no matter."""

import json
import sys

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


plugins.register_default_plugins()
before = json.load(sys.stdin)
# What they do not know they keep as it is, which would prove nothing.
for panel in before["panels"]:
    if panel["type"] != "row" and runtime.panelcfg_config(panel["type"]) is None:
        sys.exit(f"{panel['title']}: Grafana has no panel of the type {panel['type']}")
    for target in panel.get("targets", []):
        if isinstance(runtime.dataquery_from_json(target, ""), runtime.UnknownDataquery):
            sys.exit(f"{panel['title']}: Grafana has no data source of the type of query {target['refId']}")
after = json.loads(json.dumps(dashboard.Dashboard.from_json(before), cls=encoder.JSONEncoder))
print(json.dumps(sorted(set(differences(before, after)))))
