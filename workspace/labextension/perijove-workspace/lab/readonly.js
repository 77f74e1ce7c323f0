// The banner over a document that cannot be saved.

const MARK = 'pj-mod-readOnly';

// Returns the function that puts the banner over a document widget if its file is read-only.
export function createMarker(documents, Widget, copy) {
  return async widget => {
    const context = documents.contextForWidget(widget);
    await context?.ready;
    if (context?.contentsModel?.writable !== false || widget.hasClass(MARK)) {
      return;
    }
    widget.addClass(MARK);
    widget.contentHeader.addWidget(
      new Widget({ node: createBanner(context.path, () => copy(context.path)) })
    );
  };
}

function createBanner(path, onCopy) {
  const banner = document.createElement('div');
  banner.className = 'pj-ReadOnlyBanner';
  banner.setAttribute('role', 'status');

  const text = document.createElement('span');
  const kind = path.startsWith('examples/') ? 'example' : 'file';
  text.textContent = `This is a read-only ${kind}. Work on your own copy.`;

  const button = document.createElement('button');
  button.className = 'jp-mod-styled jp-mod-accept';
  button.textContent = 'Copy to my folder';
  button.addEventListener('click', async () => {
    button.disabled = true; // one click, one copy
    await onCopy();
    button.disabled = false;
  });

  banner.append(text, button);
  return banner;
}
