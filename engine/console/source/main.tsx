import { createRoot } from 'react-dom/client';
import type { Me } from '#schemas/review';
import { INBOX_BOXES } from '#schemas/review';

const me: Me | null = null;
createRoot(document.querySelector('#console') as HTMLElement).render(
  <p>
    hello {INBOX_BOXES.join()} {me}
  </p>,
);
