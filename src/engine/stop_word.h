/* Words by which somebody takes himself off marketing, and on again: a received message that is
 * nothing but such a word. Letters' case and width, spaces and punctuation do not matter:
 * "ＳＴＯＰ！" is STOP, and so is "s t o p". A message in which a word stands among others is none.
 */
#ifndef SMSD_ENGINE_STOP_WORD_H
#define SMSD_ENGINE_STOP_WORD_H

#include <stdbool.h>

#include "base/text.h"
#include "engine/received_row.h"

struct txn;

/* Where the settings do not say. */
#define STOP_WORDS_DEFAULT                                                                               \
    TEXT("STOP,STOPALL,STOPP,UNSUBSCRIBE,CANCEL,END,QUIT,REVOKE,OPTOUT,T,TD,退订,退訂,取消订阅," \
         "取消訂閱,拒收,ARRET,ARRÊT,ABMELDEN,ABBESTELLEN,PARAR,BAJA,ALTO,SAIR,CANCELAR,СТОП," \
         "ОТПИСКА,HỦY,BERHENTI,停止,配信停止,수신거부")
#define START_WORDS_DEFAULT TEXT("START,UNSTOP,SUBSCRIBE,OPTIN,订阅,訂閱,恢复订阅,СТАРТ,再開")

/* Is it a value of a setting: words with commas between, each of 1 to 32 letters or digits? */
bool stop_words_are_valid(struct text words);
/* Is the message nothing but one of the words? */
bool stop_words_have(struct text words, struct text content);
/* What a message asks for, as the settings say. */
enum received_action stop_word_action(struct txn *txn, struct text content);

#endif
