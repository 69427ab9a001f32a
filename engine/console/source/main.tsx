import { CSPProvider } from '@base-ui/react/csp-provider';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { applyTheme } from './state/theme.ts';
import './styles/base.css';
import './styles/controls.css';
import './styles/frame.css';
import './styles/lists.css';
import './styles/request.css';
import './styles/targets.css';
import './styles/text.css';

applyTheme();
const place = document.querySelector('#console');
if (place === null) throw new Error('index.html has no place for the console');
createRoot(place).render(
  <StrictMode>
    <CSPProvider disableStyleElements>
      <App />
    </CSPProvider>
  </StrictMode>,
);
