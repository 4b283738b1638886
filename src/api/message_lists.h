/* Inside the room: a list of messages, and what of it was found among the rows; the rest may be in
 * history, which is asked off the loop (message_history.c). */
#ifndef SMSD_API_MESSAGE_LISTS_H
#define SMSD_API_MESSAGE_LISTS_H

#include "api/messages.h"
#include "api/page.h"

enum { HISTORY_DAYS_EXAMINED_MAX = 32 }; /* that a page looks through, each a file to open */

struct message_list {
    enum table table; /* that is walked */
    uint64_t by;      /* of its keys: recipient's digits or company; 0: it is TABLE_MESSAGE_TEXT */
    uint64_t first, last; /* numbers, both included */
    enum message_status status;
    uint64_t company, product; /* numbers; 0: any */
    int64_t limit;
};
bool message_list_asks_for(const struct message_list *list, const struct message_row *row);

/* What rows have of a page, newest first. */
struct message_page {
    struct listed_message {
        uint64_t number;
        size_t begin, end; /* of its JSON */
    } items[PAGE_LIMIT_MAX];
    size_t count;
    struct buffer json;
    uint64_t reached; /* all from here on were looked at; list->first: there are no more */
    bool has_more;    /* there is one before `reached` */
};

/* Answers a list with what history has of it besides. Takes `page` over. */
void call_list_history(struct call *call, const struct message_list *list,
                       struct message_page *page);
/* Answers with a message that is no row any more, or that there is none. `command` NULL: shows it;
 * otherwise it is run, knowing that the message is history. */
void call_message_history(struct call *call, uint64_t number, const struct command *command);

/* Of a message in hand. */
void write_message_whole(struct json_writer *writer, struct txn *txn, const struct message_row *row,
                         const struct message_text *text, const struct message_event *events,
                         size_t event_count);

#endif
