"""Reads metrics by the two parsers of prometheus-client, which shares nothing with allears, and prints the samples.

Standard input: the metrics. Standard output: a list of `[name, labels, value]`. It fails if the parsers disagree.
"""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus


def samples(parse, text):
    families = list(parse(text))
    assert {family.type for family in families} == {"gauge"}, families
    return [[one.name, dict(one.labels), one.value] for family in families for one in family.samples]


text = sys.stdin.buffer.read().decode()
found = samples(openmetrics, text)
assert found == samples(prometheus, text), "the two formats differ"
print(json.dumps(found))
