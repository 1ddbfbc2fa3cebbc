#include "ipc/service.h"

#include "ipc/interface.h"

int service_get_info(Call *call)
{
    VarlinkWriter writer;

    call_begin_reply(call, &writer);
    json_writer_key(&writer.json, "vendor");
    json_writer_string(&writer.json, SERVICE_VENDOR);
    json_writer_key(&writer.json, "product");
    json_writer_string(&writer.json, SERVICE_PRODUCT);
    json_writer_key(&writer.json, "version");
    json_writer_string(&writer.json, ELEMENTD_VERSION);
    json_writer_key(&writer.json, "url");
    json_writer_string(&writer.json, SERVICE_URL);
    json_writer_key(&writer.json, "interfaces");
    json_writer_open_array(&writer.json);
    for (size_t i = 0; i < interfaces_n; i++)
        json_writer_string(&writer.json, interfaces[i].name);
    return call_end_list(&writer);
}

int service_get_interface_description(Call *call)
{
    const JsonValue *name = call->arguments[0];
    const Interface *interface = interface_find(name->text, name->size);
    VarlinkWriter writer;

    if (!interface)
        return call_error_about(call, VARLINK_INTERFACE_NOT_FOUND, "interface", name->text,
                                name->size);
    call_begin_reply(call, &writer);
    json_writer_key(&writer.json, "description");
    json_writer_string(&writer.json, interface->text);
    return call_end_reply(&writer);
}
