"""Lints a chart and renders it with the engine of Helm: render.py CHART VALUES-AS-JSON [NOTES]"""

import json
import sys

from helm_python import chart

folder, values = sys.argv[1], json.loads(sys.argv[2])
with chart.Chart.load(folder) as loaded:
    loaded.validate_schema(values)
    rendered = loaded.render(values, name="nomad-exporter", namespace="monitoring")
# The only advice that is not followed is that a chart should have a picture.
complaints = [message for message in chart.lint(folder, values, strict=True)["messages"] if message["severity"] > 1]
if complaints:
    sys.exit(json.dumps(complaints))
is_notes = lambda file: file.endswith("NOTES.txt")
if len(sys.argv) > 3:
    print("".join(text for file, text in rendered.items() if is_notes(file)))
else:
    print("\n---\n".join(text for file, text in rendered.items() if text.strip() and not is_notes(file)))
