"""Records: how they are examined, admitted, written, quarantined, withdrawn and found."""
