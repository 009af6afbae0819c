"""A request to TensorFlow Serving's REST interface, decoded and answered as that server does it."""

import base64
import json

import tensorflow as tf


def serve(loaded, body):
    """TensorFlow Serving's answer to a REST request, in its row or its column format."""
    request = json.loads(body)
    signature = loaded.signatures[request["signature_name"]]
    (name,) = signature.structured_input_signature[1]
    instances = request.get("instances", request.get("inputs"))
    if isinstance(instances, dict):
        instances = instances[name]
    rows = [instance.get(name, instance) for instance in instances]  # the name of a lone input may be left out
    found = signature(**{name: tf.constant([base64.b64decode(row["b64"]) for row in rows])})
    columns = {key: [_json(key, value) for value in values.numpy()] for key, values in found.items()}
    if "inputs" in request:
        return json.dumps({"outputs": columns})
    return json.dumps({"predictions": [dict(zip(columns, row)) for row in zip(*columns.values())]})


def _json(name, value):
    return {"b64": base64.b64encode(value).decode()} if name.endswith("_bytes") else value.item()
