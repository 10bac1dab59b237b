#!/usr/bin/python
# -*- coding: utf-8 -*-
"""An Ansible module that returns what listens on a host, as allears sees it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: allears_facts
short_description: Returns what listens on a host, and which processes hold it
description:
  - Runs C(allears --json) on the host and returns the document as facts. It changes nothing, in check mode too.
  - It fails if allears is missing, if its arguments are invalid, or if the scan failed. A scan that may have missed a
    socket is not a failure unless O(require_complete) is true; RV(ansible_facts.allears.complete) reports it.
options:
  arguments:
    description: Targets and options of the list, such as C(--exposed), C(tcp/443) or C(--unix).
    type: list
    elements: str
    default: []
  executable:
    description: The program, by name or path.
    type: str
    default: allears
  require_complete:
    description: Whether it is a failure if a socket may be missing.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read what other machines can reach
  allears_facts:
    arguments: [--exposed]

- name: Show it
  ansible.builtin.debug:
    var: allears.summary
"""

RETURN = r"""
ansible_facts:
  description: The facts.
  returned: success
  type: dict
  contains:
    allears:
      description:
        - The document of C(allears --json), whose keys docs/json.md explains, with two more keys.
        - V(summary) has a line for each listener, without pids and times, in a stable order, so that two runs can be
          compared.
        - V(lines) has the lines of C(allears --ndjson), for a database.
      type: dict
"""

import json

from ansible.module_utils.basic import AnsibleModule


def summary(listener):
    place = listener["path"] if listener["protocol"] == "unix" else f"{listener['address']}:{listener['port']}"
    holders = {(holder["name"], holder["user"] or str(holder["uid"])) for holder in listener["holders"]}
    held = ", ".join(f"{name} ({user})" for name, user in sorted(holders)) or "holder not seen"
    return f"{listener['protocol']} {place} {held}"


def main():
    module = AnsibleModule(
        argument_spec={
            "arguments": {"type": "list", "elements": "str", "default": []},
            "executable": {"type": "str", "default": "allears"},
            "require_complete": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    program = module.get_bin_path(module.params["executable"], required=True)
    code, out, errors = module.run_command([program, "--json", *module.params["arguments"]])
    if code not in (0, 1, 3):
        module.fail_json(msg=f"allears refused its arguments: {errors.strip()}", rc=code)
    try:
        document = json.loads(out)
    except ValueError:
        module.fail_json(msg=f"allears could not scan this host: {errors.strip()}", rc=code)
    if document["schema"] != "allears/1":
        module.fail_json(msg=f"unknown schema {document['schema']}", rc=code)
    if module.params["require_complete"] and not document["complete"]:
        gaps = "; ".join(gap["detail"] for gap in document["gaps"])
        module.fail_json(msg=f"a socket may be missing: {gaps}", rc=code)
    head = {key: document[key] for key in ("schema", "host", "taken_at")}
    lines = [{**head, **listener} for listener in document["listeners"]]
    lines += [{**head, "gap": gap} for gap in document["gaps"]]
    more = {
        "summary": sorted({summary(listener) for listener in document["listeners"]}),
        "lines": [json.dumps(line) for line in lines],
    }
    module.exit_json(changed=False, ansible_facts={"allears": {**document, **more}})


if __name__ == "__main__":
    main()
