"""`AWS::AppSync::FunctionConfiguration` in a template. MiniStack 1.5.33 reports it complete and creates nothing."""

import json
from pathlib import PurePosixPath

import ministack.services.appsync as appsync

MEMBERS = {
    "Name": "name",
    "Description": "description",
    "DataSourceName": "dataSourceName",
    "RequestMappingTemplate": "requestMappingTemplate",
    "ResponseMappingTemplate": "responseMappingTemplate",
    "FunctionVersion": "functionVersion",
    "Code": "code",
}


def _body(props):
    body = {member: props[prop] for prop, member in MEMBERS.items() if props.get(prop)}
    if props.get("MaxBatchSize"):
        body["maxBatchSize"] = int(props["MaxBatchSize"])
    if props.get("Runtime"):
        runtime = props["Runtime"]
        body["runtime"] = {"name": runtime.get("Name"), "runtimeVersion": runtime.get("RuntimeVersion")}
    return body


def _refuse_unusable(api_id, props):
    """What AWS refuses at creation: a data source the API does not have, code without a runtime."""
    if props.get("DataSourceName") not in (appsync._data_sources.get(api_id) or {}):
        raise ValueError(f"No data source found named {props.get('DataSourceName')}")
    if props.get("Code") and (props.get("Runtime") or {}).get("Name") != "APPSYNC_JS":
        raise ValueError("Code was given without a runtime")


def _record(answer):
    status, _headers, body = answer
    if status >= 400:
        raise ValueError(f"AWS::AppSync::FunctionConfiguration: {json.loads(body).get('message')}")
    return json.loads(body)["functionConfiguration"]


def _attributes(record):
    return record["functionArn"], {
        "DataSourceName": record["dataSourceName"],
        "FunctionArn": record["functionArn"],
        "FunctionId": record["functionId"],
        "Name": record["name"],
    }


def _create(logical_id, props, stack_name):
    api_id = props.get("ApiId", "")
    _refuse_unusable(api_id, props)
    return _attributes(_record(appsync._create_function(api_id, _body(props))))


def _update(physical_id, old_props, new_props, stack_name):
    api_id = new_props.get("ApiId", "")
    if api_id != old_props.get("ApiId"):
        return _create("", new_props, stack_name)
    _refuse_unusable(api_id, new_props)
    return _attributes(_record(appsync._update_function(api_id, PurePosixPath(physical_id).name, _body(new_props))))


def _delete(physical_id, props):
    appsync._delete_function(props.get("ApiId", ""), PurePosixPath(physical_id).name)


HANDLERS = {"create": _create, "update": _update, "delete": _delete}
