// Why a kernel died, where the server knows it: workspace/restarter.py sends the words.

const OUT_OF_MEMORY = 'https://perijove/events/out-of-memory';

export function sayWhenMemoryRanOut(events, Notification) {
  let shown = '';

  events.stream.connect((_, event) => {
    if (event.schema_id === OUT_OF_MEMORY) {
      if (shown) {
        Notification.dismiss(shown); // several kernels may end at once, for the same reason
      }
      shown = Notification.warning(event.message, { autoClose: false });
    }
  });
}
