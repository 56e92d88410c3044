"""Messages of gRPC, made from excerpts of the definition that a vendor publishes.

A vendor's page holds the messages and fields that it uses, in the language of `.proto` files (proto3): the
wire knows fields by their number, so those left out are passed over. Enumerations are written as int32,
which is the same on the wire. https://protobuf.dev/programming-guides/proto3/
"""

import re
from functools import cache
from typing import Any

__all__ = ["proto_messages"]

MESSAGE = re.compile(r"message\s+(\w+)\s*\{([^}]*)\}")
FIELD = re.compile(r"(repeated\s+)?(\w+)\s+(\w+)\s*=\s*(\d+)\s*;")
SCALARS = ("bool", "bytes", "double", "float", "int32", "int64", "string", "uint32", "uint64")


@cache
def proto_messages(definition: str) -> dict[str, Any]:
    """Return the classes of the messages in a definition, by their name.

    Raises ModuleNotFoundError if the library `protobuf` is not installed.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="excerpt.proto", syntax="proto3")
    for name, members in MESSAGE.findall(definition):
        message = file.message_type.add(name=name)
        for repeated, kind, member, number in FIELD.findall(members):
            label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            field = message.field.add(name=member, number=int(number), label=label)
            if kind in SCALARS:
                field.type = kinds.Type.Value(f"TYPE_{kind.upper()}")
            else:
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(message.name))
        for message in file.message_type
    }
