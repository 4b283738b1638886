/* A stream without a socket: tests give it bytes and see what comes out, how often it was read and
 * written, and decide how much may be written. */
#ifndef SMSD_TESTS_HTTP_MEMORY_STREAM_H
#define SMSD_TESTS_HTTP_MEMORY_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "net/stream.h"

struct memory_stream {
    struct stream stream; /* first: a stream is cast to it */
    const char *input;
    size_t input_size;
    struct buffer output;
    size_t room; /* bytes that may still be written */
    int reads, writes;
    int watched;
    bool is_end_of_input;
    bool is_broken; /* writing fails */
    bool is_ended, is_closed;
};

static ssize_t memory_read(struct stream *stream, void *to, size_t size)
{
    struct memory_stream *memory = (struct memory_stream *)stream;
    memory->reads++;
    if (memory->input_size == 0)
        return memory->is_end_of_input ? 0 : STREAM_AGAIN;
    if (size > memory->input_size)
        size = memory->input_size;
    memcpy(to, memory->input, size);
    memory->input += size;
    memory->input_size -= size;
    return (ssize_t)size;
}

static ssize_t memory_write(struct stream *stream, const void *from, size_t size)
{
    struct memory_stream *memory = (struct memory_stream *)stream;
    memory->writes++;
    if (memory->is_broken)
        return STREAM_BROKEN;
    if (memory->room == 0)
        return STREAM_AGAIN;
    if (size > memory->room)
        size = memory->room;
    memory->room -= size;
    buffer_append(&memory->output, from, size);
    return (ssize_t)size;
}

static void memory_watch(struct stream *stream, int events)
{
    ((struct memory_stream *)stream)->watched = events;
}

static void memory_end(struct stream *stream)
{
    ((struct memory_stream *)stream)->is_ended = true;
}

static void memory_close(struct stream *stream)
{
    ((struct memory_stream *)stream)->is_closed = true;
}

static const struct stream_ops memory_ops = {memory_read, memory_write, memory_watch,
                                             memory_end,  memory_close, NULL};

static inline void memory_stream_init(struct memory_stream *memory)
{
    *memory = (struct memory_stream){.stream.ops = &memory_ops, .room = SIZE_MAX};
}

static inline void memory_stream_release(struct memory_stream *memory)
{
    buffer_release(&memory->output);
}

/* As a socket would: tells the owner as long as there is something it watches for. */
static inline void memory_stream_run(struct memory_stream *memory)
{
    for (;;) {
        int events = 0;
        if (memory->input_size != 0 || memory->is_end_of_input)
            events |= STREAM_READABLE;
        if (memory->room != 0)
            events |= STREAM_WRITABLE;
        events &= memory->watched;
        if (events == 0 || memory->is_closed)
            return;
        memory->stream.on_ready(memory->stream.owner, events);
    }
}

static inline void memory_stream_give(struct memory_stream *memory, const char *data, size_t size)
{
    memory->input = data;
    memory->input_size = size;
    memory_stream_run(memory);
}

#endif
